"""A run as it goes on: redrawn on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from nemotron.cli.progress import LiveEvents
from nemotron.execution.store import Attempt

CLEAR = "\r\x1b[K"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def plain() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("COLUMNS", "100")
    return Terminal()


def test_a_terminal_s_status_is_redrawn_below_the_log(terminal: Terminal) -> None:
    events = LiveEvents(terminal)
    events.progress({"step": 1, "total": 4, "loss": 2.5, "tokens_per_s": 1234.4})
    events.log("a line of the job")
    events.progress({"step": 2, "total": 4, "loss": 1.5, "tokens_per_s": 99999})
    events.ended()
    drawn = terminal.getvalue().split(CLEAR)
    bar = "━" * 6 + "─" * 18
    assert drawn[1] == f"{bar} step 1/4 · loss 2.5000 · 1,234 tokens/s"
    assert drawn[2] == "a line of the job\n"
    assert drawn[3] == drawn[1]
    assert drawn[4].startswith("━" * 12 + "─" * 12 + " step 2/4 · loss 1.5000 · 99,999 tokens/s · ")
    assert drawn[4].endswith(" left\n")


def test_a_status_never_wraps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    terminal = Terminal()
    LiveEvents(terminal).progress({"step": 1, "total": 4, "loss": 2.5, "tokens_per_s": 1234.4})
    assert len(terminal.getvalue().removeprefix(CLEAR)) == 39


def test_elsewhere_progress_is_one_line_now_and_then_and_at_the_end(plain: io.StringIO) -> None:
    events = LiveEvents(plain)
    for step in range(1, 101):
        events.progress({"step": step, "total": 100, "unit": "record"})
    events.ended()
    lines = plain.getvalue().splitlines()
    assert len(lines) < 20
    assert lines[-1] == "record 100/100"
    assert "\x1b" not in plain.getvalue()


def test_without_a_total_there_is_no_bar(terminal: Terminal) -> None:
    LiveEvents(terminal).progress({"step": 1200, "total": None, "unit": "document"})
    assert terminal.getvalue() == f"{CLEAR}document 1,200"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ({}, ""),
        ({"step": None}, ""),
        ({"step": "3"}, ""),
        ({"step": True}, ""),
        ({"step": float("inf")}, ""),
        ({"step": 3, "total": "many", "loss": "low", "tokens_per_s": []}, "step 3"),
        ({"step": 3, "total": 3, "loss": float("nan")}, "step 3/3 · loss nan"),
        ({"step": 5, "total": 3}, "step 5/3"),
        ({"step": -1, "total": 3}, "step -1/3"),
    ],
)
def test_whatever_a_job_writes_the_run_goes_on(
    terminal: Terminal, line: dict[str, object], shown: str
) -> None:
    LiveEvents(terminal).progress(line)
    assert terminal.getvalue().endswith(shown)
    assert bool(terminal.getvalue()) == bool(shown)


def test_the_time_left_is_by_the_pace_since_this_run_began(terminal: Terminal) -> None:
    """A resumed job begins at a late step; that these steps took no time says nothing."""
    events = LiveEvents(terminal)
    events.progress({"step": 900, "total": 1000})
    assert "left" not in terminal.getvalue()
    events.progress({"step": 901, "total": 1000})
    assert " left" in terminal.getvalue()


def test_a_quiet_run_shows_progress_but_no_log(plain: io.StringIO) -> None:
    events = LiveEvents(plain, quiet=True)
    events.log("a line of the job")
    events.progress({"step": 1, "total": 1})
    assert plain.getvalue() == "step 1/1\n"


def test_tokens_in_the_log_are_not_shown(plain: io.StringIO) -> None:
    token = "hf_" + "a1B2" * 8
    LiveEvents(plain).log(f"logged in with {token}.")
    assert plain.getvalue() == "logged in with <redacted>.\n"


def test_a_start_says_what_changed_and_where_the_log_is(plain: io.StringIO, project: Path) -> None:
    attempt = Attempt(project / ".nemotron" / "runs" / "r" / "s" / "1")
    LiveEvents(plain).started(attempt, ["python"], ["a", "b", "c", "d", "e", "f", "g", "h"])
    first, second = plain.getvalue().splitlines()
    assert first.split("  ")[-1] == "a, b, c, d, e, f and 2 more (since the last finished run of this step)"
    assert second.endswith(".nemotron/runs/r/s/1/log")
