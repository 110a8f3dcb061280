"""What every command prints with."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from nemotron.cli.output import print_diagnostics, print_json, short_path, shorten, wants_color
from nemotron.diagnostic import Place, error


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_document_carries_its_version_and_every_problem(capsys: pytest.CaptureFixture[str]) -> None:
    problem = error("NMT204", "unknown key", where=Place("a.yaml", 3, 5), fix="did you mean 'b'?")
    print_json({"path": Path("/x"), "größe": 1}, [problem])
    captured = capsys.readouterr()
    told = json.loads(captured.out)
    assert (told["version"], told["path"], told["größe"]) == (1, "/x", 1)
    assert told["diagnostics"][0]["where"] == {"file": "a.yaml", "line": 3, "column": 5}
    assert captured.err == ""


def test_problems_go_to_stderr_and_no_problem_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    print_diagnostics([])
    assert capsys.readouterr() == ("", "")
    print_diagnostics([error("NMT204", "unknown key")])
    assert capsys.readouterr() == ("", "error[NMT204]: unknown key\n")


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [({}, True), ({"NO_COLOR": ""}, False), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
)
def test_colour_is_for_terminals_that_want_it(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], wanted: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert wants_color(Terminal()) is wanted
    assert wants_color(io.StringIO()) is False


def test_text_is_cut_to_the_width() -> None:
    assert shorten("four", 4) == "four"
    assert shorten("a little longer", 9) == "a little…"
    assert shorten("xx", 1) == "…"


def test_paths_below_the_working_directory_are_short(project: Path) -> None:
    assert short_path(project / "a" / "b") == "a/b"
    assert short_path("/elsewhere/c") == "/elsewhere/c"
