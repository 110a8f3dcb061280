"""`nemotron pipeline run`: what is shown, what is checked first, what the last line says."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from catalogs.helpers import Nemotron, end_quietly, is_alive, job_of, start_nemotron, wait_for
from catalogs.pipelines import Branches

RUN = ("pipeline", "run", "branches.yaml")


def told_by(nemotron: Nemotron, *arguments: str) -> dict[str, str]:
    """Step → status, as the JSON document says."""
    told = json.loads(nemotron(*RUN, "--json", *arguments).stdout)
    return {step["name"]: step["status"] for step in told["steps"]}


def test_a_run_shows_each_step_and_says_at_the_end_how_each_ended(
    branches: Branches, nemotron: Nemotron, project: Path
) -> None:
    ended = nemotron(*RUN, "--jobs", "1")
    assert ended.returncode == 0
    shown = [line for line in ended.stderr.splitlines() if line.startswith("[")]
    assert shown == [
        "[1/4] first: link/repeat",
        "[2/4] left: link/repeat",
        "[3/4] left_count: test/word_count",
        "[4/4] right: test/word_count",
    ]
    assert "counted 18 records" in ended.stderr
    lines = ended.stdout.splitlines()
    assert [line.split()[:2] for line in lines[:4]] == [
        ["first", "done"],
        ["left", "done"],
        ["left_count", "done"],
        ["right", "done"],
    ]
    assert lines[4].startswith("  counts  .nemotron/artifacts/test-word_count-")
    assert [line.split()[0] for line in lines[5:]] == ["report"]
    again = nemotron(*RUN)
    assert again.stdout.count("skipped: run ") == 4


def test_with_json_stdout_is_one_document(branches: Branches, nemotron: Nemotron, project: Path) -> None:
    told = json.loads(nemotron(*RUN, "--json").stdout)
    assert (told["version"], told["exit_code"], told["diagnostics"]) == (1, 0, [])
    assert (project / ".nemotron" / "runs" / told["run"]).is_dir()
    assert [step["name"] for step in told["steps"]] == ["first", "left", "left_count", "right"]
    assert Path(told["steps"][0]["artifacts"]["records"]).is_file()


def test_a_dry_run_says_what_would_run_and_why(branches: Branches, nemotron: Nemotron, project: Path) -> None:
    ended = nemotron(*RUN, "--dry-run")
    assert ended.returncode == 0
    assert ended.stdout.splitlines() == [
        "  first       would run: it has not run before",
        "  left        would run: first would run",
        "  left_count  would run: left would run",
        "  right       would run: first would run",
        "The dry run passed: nothing was run.",
    ]
    assert list((project / ".nemotron").iterdir()) == []
    told_by(nemotron)
    branches.change("left", times=7)
    foreseen = json.loads(nemotron(*RUN, "--dry-run", "--json", "--force", "right").stdout)["steps"]
    assert [(each["name"], each["fate"], each["why"]) for each in foreseen[1:]] == [
        ("left", "run", "changed: times"),
        ("left_count", "run", "left would run"),
        ("right", "run", "forced"),
    ]
    assert foreseen[0]["fate"] == "skipped"
    assert foreseen[0]["why"].startswith("run ")
    assert told_by(nemotron) == {"first": "skipped", "left": "done", "left_count": "done", "right": "skipped"}


def test_every_problem_is_told_before_anything_runs(
    branches: Branches, nemotron: Nemotron, project: Path
) -> None:
    branches.change("left_count", unit="syllables")
    branches.change("right", minimun=2)
    ended = nemotron(*RUN)
    assert ended.returncode == 2
    assert "left_count: " in ended.stderr
    assert "right: " in ended.stderr
    assert list((project / ".nemotron").iterdir()) == []


def test_a_failure_is_explained_and_the_last_line_goes_on(branches: Branches, nemotron: Nemotron) -> None:
    branches.change("left", fails=True)
    ended = nemotron(*RUN, "--keep-going", "--gpus", "0")
    assert ended.returncode == 1
    assert "error[NMT801]: the job failed with exit code 1" in ended.stderr
    assert "   the log: .nemotron/runs/" in ended.stderr
    lines = ended.stdout.splitlines()
    assert [line.split(":")[0].split()[1] for line in lines[:4]] == ["done", "failed", "not", "done"]
    assert lines[2].endswith("not run: it needs left")
    command = "nemotron pipeline run branches.yaml --gpus 0 --keep-going"
    assert lines[-1] == f"Go on with: {command}"
    branches.change("left", fails=False)
    went_on = nemotron(*command.split()[1:], "--json")
    assert {s["name"]: s["status"] for s in json.loads(went_on.stdout)["steps"]} == {
        "first": "skipped",
        "left": "done",
        "left_count": "done",
        "right": "skipped",
    }


def test_only_and_from_choose_the_steps(branches: Branches, nemotron: Nemotron) -> None:
    assert told_by(nemotron, "--only", "first") == {
        "first": "done",
        "left": "not run",
        "left_count": "not run",
        "right": "not run",
    }
    assert told_by(nemotron, "--from", "left") == {
        "first": "skipped",
        "left": "done",
        "left_count": "done",
        "right": "not run",
    }
    blocked = nemotron(*RUN, "--only", "left_count")
    assert blocked.returncode == 0
    branches.change("left", times=9)
    blocked = nemotron(*RUN, "--only", "left_count")
    assert blocked.returncode == 3
    assert "blocked[NMT810]: left_count needs left, which is not finished" in blocked.stderr


@pytest.mark.parametrize("option", ["--only", "--from"])
def test_an_unknown_step_is_refused_with_the_nearest(
    branches: Branches, nemotron: Nemotron, option: str
) -> None:
    ended = nemotron(*RUN, option, "lfet")
    assert ended.returncode == 2
    assert "error[NMT271]: the pipeline has no step 'lfet'" in ended.stderr
    assert "did you mean 'left'?" in ended.stderr


def test_of_two_runners_one_wins_and_the_other_says_who_holds_it(
    branches: Branches, nemotron: Nemotron, project: Path
) -> None:
    (project / "pause").touch()
    branches.change("first", pause=str(project / "pause"))
    winner = start_nemotron(*RUN)
    try:
        wait_for(lambda: list(project.glob(".nemotron/runs/*/first/1/progress.jsonl")), "first step")
        second = nemotron(*RUN, "--json")
        told = json.loads(second.stdout)
        assert second.returncode == 3
        assert [problem["code"] for problem in told["diagnostics"]] == ["NMT806"]
        assert f"process {winner.pid} on " in told["diagnostics"][0]["detail"]
        assert {step["status"] for step in told["steps"]} == {"not run"}
    finally:
        (project / "pause").write_text("go on", encoding="utf-8")
        stdout, _ = winner.communicate(timeout=60)
    assert winner.returncode == 0
    assert stdout.count(" done in ") == 4
    assert set(told_by(nemotron).values()) == {"skipped"}


def test_ctrl_c_ends_the_job_and_says_how_to_go_on(branches: Branches, project: Path) -> None:
    (project / "pause").touch()
    branches.change("left", pause=str(project / "pause"))
    runner = start_nemotron(*RUN, "--jobs", "1")
    attempt = Path(
        wait_for(lambda: list(project.glob(".nemotron/runs/*/left/1/progress.jsonl")), "second step")[0]
    ).parent
    job = wait_for(lambda: job_of(attempt), "pid of the job")
    runner.send_signal(signal.SIGINT)
    stdout, _ = runner.communicate(timeout=60)
    end_quietly(job)
    assert runner.returncode == 130
    lines = stdout.splitlines()
    assert [line.split(":")[0].split()[1] for line in lines[:4]] == ["done", "interrupted", "not", "not"]
    assert lines[-1] == "Go on with: nemotron pipeline run branches.yaml --jobs 1"
    assert json.loads((attempt / "result.json").read_text(encoding="utf-8"))["status"] == "interrupted"


def test_ctrl_c_ends_every_job_that_runs(branches: Branches, project: Path) -> None:
    (project / "pause").touch()
    for step in ("left", "right"):
        branches.change(step, pause=str(project / "pause"))
    runner = start_nemotron(*RUN, "--jobs", "2")
    jobs = []
    for step in ("left", "right"):
        pattern = f".nemotron/runs/*/{step}/1/progress.jsonl"
        attempt = Path(wait_for(lambda p=pattern: list(project.glob(p)), step)[0]).parent
        jobs.append(wait_for(lambda a=attempt: job_of(a), f"pid of {step}"))
    runner.send_signal(signal.SIGINT)
    stdout, _ = runner.communicate(timeout=60)
    left = [job for job in jobs if is_alive(job)]
    end_quietly(*jobs)
    assert (runner.returncode, left) == (130, [])
    assert stdout.count("interrupted") == 2


def test_a_forced_step_runs_again_and_says_where_the_old_files_are(
    branches: Branches, nemotron: Nemotron, project: Path
) -> None:
    nemotron(*RUN)
    ended = nemotron(*RUN, "--force", "right")
    assert ended.returncode == 0
    assert "right | " in ended.stderr
    assert ".replaced-" in ended.stderr
    assert "(what was there before)" in ended.stderr
    assert ended.stdout.count("skipped: run ") == 3
    assert set(told_by(nemotron).values()) == {"skipped"}
    assert "did you mean 'right'?" in nemotron(*RUN, "--force", "rigt").stderr


def test_on_a_terminal_each_step_has_a_line(branches: Branches, project: Path) -> None:
    (project / "pause").touch()
    branches.change("left", pause=str(project / "pause"))
    screen = on_a_terminal(*RUN, "--jobs", "1", then=lambda: go_on_after_left(project))
    assert "first | repeating 3 records" in screen
    for line in (
        r"first +done in \d+ s",
        r"left +running \d+ s +━+─+ pass 1/2 · loss 0.2500",
        r"left_count +waiting",
        r"left_count +done in",
        r"right +done in",
    ):
        assert re.search(line, screen), line


def go_on_after_left(project: Path) -> None:
    wait_for(lambda: list(project.glob(".nemotron/runs/*/left/1/progress.jsonl")), "second step")
    time.sleep(1)  # the view is drawn four times a second
    (project / "pause").write_text("go on", encoding="utf-8")


def on_a_terminal(*arguments: str, then: Callable[[], None]) -> str:
    """What a command draws on a terminal of 100 columns, without the codes that move the cursor."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    argv = [sys.executable, "-m", "nemotron", *arguments]
    environment = {**os.environ, "TERM": "xterm-256color"}
    running = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=theirs, env=environment)
    os.close(theirs)
    drawn: list[bytes] = []
    reader = threading.Thread(target=lambda: drawn.extend(_read_all(ours)))
    reader.start()
    then()
    assert running.wait(60) == 0
    reader.join(60)
    os.close(ours)
    text = b"".join(drawn).decode("utf-8")
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def _read_all(terminal: int) -> Iterator[bytes]:
    """Everything until the other side is closed, which Linux tells as an input/output error."""
    with contextlib.suppress(OSError):
        while block := os.read(terminal, 65536):
            yield block
