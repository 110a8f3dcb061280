"""`nemotron pipeline check` and what it prints: every problem at once, with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from at_hand import at_hand
from small import failures, position, write

from nemotron.cli.app import app

__all__ = ["at_hand"]
CURATE = """
    version: 1
    want: filtered_jsonl
    have:
      web: {type: raw_jsonl, path: web.jsonl}
    steps:
      curate:
        step: curate/nemo_curator
        inputs: {raw_jsonl: web}
        set: {models.fasttext_langid: null, language_codes: []}
"""


def run(*arguments: str) -> int:
    code: Any = app(["pipeline", *arguments], standalone_mode=False)
    return int(code or 0)


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    code = run("check", *arguments, "--json")
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert told["exit_code"] == code
    return told


def test_a_check_is_one_json_document(at_hand: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(at_hand / "p.yaml", CURATE)
    told = document(capsys, "p.yaml")
    assert told.keys() == {"version", "file", "want", "steps", "exit_code", "diagnostics"}
    assert told["steps"] == [{"name": "curate", "step": "curate/nemo_curator"}]
    assert told["want"] == "filtered_jsonl"
    assert {problem["severity"] for problem in told["diagnostics"]} <= {"blocked"}


def test_an_error_of_a_step_names_the_step_and_the_place(
    at_hand: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(at_hand / "p.yaml", CURATE.replace("language_codes: []", "language_code: []"))
    told = document(capsys, "p.yaml")
    assert told["exit_code"] == 2
    (found,) = [problem for problem in told["diagnostics"] if problem["severity"] == "error"]
    assert found["summary"].startswith("curate: ")
    _, line, column = position(file, "language_code:")
    assert (found["where"]["line"], found["where"]["column"]) == (line, column)


def test_a_have_that_is_not_said_yet_blocks(at_hand: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(at_hand / "p.yaml", CURATE.replace("path: web.jsonl", 'path: "???"'))
    told = document(capsys, "p.yaml")
    assert "NMT208" in [problem["code"] for problem in told["diagnostics"]]
    assert told["exit_code"] in (2, 3)


def test_every_mistake_of_the_form_is_told_at_once(at_hand: Path) -> None:
    wrong = CURATE.replace("want: filtered_jsonl", "wants: filtered_jsonl").replace("step: cur", "stp: cur")
    write(at_hand / "p.yaml", wrong)
    found = failures(lambda: run("check", "p.yaml"))
    assert {problem.code for problem in found} == {"NMT270"}
    assert len(found) == 3


@pytest.mark.usefixtures("at_hand")
def test_a_file_that_is_not_there_names_the_nearest(at_hand: Path) -> None:
    write(at_hand / "pipeline.yaml", CURATE)
    (found,) = failures(lambda: run("check", "pipelin.yaml"))
    assert (found.code, found.fix) == ("NMT213", "did you mean 'pipeline.yaml'?")


@pytest.mark.parametrize(("form", "first"), [("mermaid", "flowchart LR"), ("dot", "digraph pipeline {")])
def test_a_pipeline_is_drawn(
    at_hand: Path, capsys: pytest.CaptureFixture[str], form: str, first: str
) -> None:
    write(at_hand / "p.yaml", CURATE)
    assert run("graph", "p.yaml", "--format", form) == 0
    drawn = capsys.readouterr().out
    assert drawn.splitlines()[0] == first
    assert "curate/nemo_curator" in drawn


def test_a_drawing_is_data_too(at_hand: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(at_hand / "p.yaml", CURATE)
    assert run("graph", "p.yaml", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["edges"] == [{"from": "web", "to": "curate", "type": "raw_jsonl"}]
    assert [node["kind"] for node in told["nodes"]] == ["have", "step"]
