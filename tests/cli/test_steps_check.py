"""`nemotron steps check`: the problems of a dry run, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from catalogs.helpers import Nemotron, tree_of

GOOD = ("test/word_count", "data=chat.jsonl")


def test_without_problems_it_says_so_and_makes_nothing(nemotron: Nemotron, chat: Path, project: Path) -> None:
    before = tree_of(project)
    ended = nemotron("steps", "check", *GOOD)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "No problem found.\n", "")
    assert tree_of(project) == before
    assert not (project / ".nemotron" / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("test/word_count", "data=nowhere.jsonl", "untit=words"), 2),
        (("test/word_count",), 3),
        ((*GOOD, "--gpus", "999"), 3),
    ],
)
def test_it_finds_what_the_dry_run_finds(
    nemotron: Nemotron, chat: Path, arguments: tuple[str, ...], code: int
) -> None:
    checked = nemotron("steps", "check", *arguments, "--json")
    tried = nemotron("steps", "run", *arguments, "--dry-run", "--json")
    assert (checked.returncode, tried.returncode) == (code, code)
    told, expected = json.loads(checked.stdout), json.loads(tried.stdout)
    assert told["diagnostics"] == expected["diagnostics"] != []
    assert set(told) == {"version", "step", "config", "exit_code", "diagnostics"}
    assert (told["step"], told["exit_code"]) == ("test/word_count", code)


def test_strict_takes_warnings_for_errors(nemotron: Nemotron, chat: Path) -> None:
    slip = ("sft/automodel", "model.trust_remote_code=true", "--gpus", "0", "--json")
    found = [nemotron("steps", "check", *slip, *more) for more in ((), ("--strict",))]
    severities = {d["severity"] for d in json.loads(found[0].stdout)["diagnostics"]}
    assert "warning" in severities
    assert json.loads(found[0].stdout)["diagnostics"] == json.loads(found[1].stdout)["diagnostics"]
    assert found[1].returncode == 2
