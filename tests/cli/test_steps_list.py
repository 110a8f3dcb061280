"""`nemotron steps list`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from catalogs.helpers import Nemotron

pytestmark = pytest.mark.usefixtures("fake_steps")

FAKE = ["test/breaks", "test/sign", "test/trainer", "test/word_count"]


def ids(nemotron: Nemotron, *filters: str) -> list[str]:
    ended = nemotron("steps", "list", *filters, "--json")
    assert (ended.returncode, ended.stderr) == (0, "")
    return [step["id"] for step in json.loads(ended.stdout)["steps"]]


def test_steps_of_every_root_are_listed_with_their_summaries(nemotron: Nemotron) -> None:
    ended = nemotron("steps", "list")
    rows = {line.split()[0]: line for line in ended.stdout.splitlines()}
    assert {"sft/automodel", *FAKE} <= set(rows)
    assert list(rows) == sorted(rows)
    assert rows["test/word_count"].endswith("  Count the words of every role in chat records.")


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (["--category", "test"], FAKE),
        (["--tag", "counting"], ["test/word_count"]),
        (["--category", "test", "--consumes", "training_jsonl"], FAKE[1:]),
        (["--category", "test", "--consumes", "checkpoint_hf"], ["test/word_count"]),
        (["--category", "test", "--produces", "eval_results", "--tag", "counting"], ["test/word_count"]),
    ],
)
def test_filters_are_taken_together(nemotron: Nemotron, filters: list[str], found: list[str]) -> None:
    assert ids(nemotron, *filters) == found


def test_a_type_is_taken_wherever_its_parent_is(nemotron: Nemotron) -> None:
    assert ids(nemotron, "--category", "test", "--consumes", "synthetic_jsonl") == FAKE[1:]
    assert "sft/automodel" in ids(nemotron, "--consumes", "translated_jsonl", "--library", "automodel")
    assert ids(nemotron, "--category", "test", "--consumes", "raw_jsonl") == []


@pytest.mark.parametrize(
    ("filters", "hint"),
    [
        (["--category", "tset"], "--category tset: did you mean 'test'?"),
        (["--consumes", "trainingjsonl"], "--consumes trainingjsonl: did you mean 'training_jsonl'?"),
        (["--library", "automodell"], "--library automodell: did you mean 'automodel'?"),
        (["--category", "test", "--library", "automodel"], "no step matches all of them"),
        (["--category", "zzz"], "--category zzz: there are"),
    ],
)
def test_no_match_is_no_error_and_names_the_nearest(
    nemotron: Nemotron, filters: list[str], hint: str
) -> None:
    ended = nemotron("steps", "list", *filters)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("No step matches.\n")
    assert hint in ended.stdout


def test_hints_are_data_too(nemotron: Nemotron) -> None:
    told = json.loads(nemotron("steps", "list", "--category", "tset", "--json").stdout)
    assert (told["version"], told["steps"]) == (1, [])
    assert told["hints"] == ["--category tset: did you mean 'test'?"]


def test_the_tree_shows_what_goes_in_and_out(nemotron: Nemotron) -> None:
    lines = nemotron("steps", "list", "--category", "test", "--tree").stdout.splitlines()
    assert lines[0] == "test"
    assert "    nothing → eval_results" in lines
    assert "    training_jsonl, checkpoint_hf?, endpoint? → eval_results" in lines


def test_a_broken_manifest_does_not_hide_the_others(
    nemotron: Nemotron, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "steps" / "my" / "step").mkdir(parents=True)
    (tmp_path / "steps" / "my" / "step" / "step.toml").write_text("[step]\nid = 3 4\n", encoding="utf-8")
    monkeypatch.setenv("NEMOTRON_STEPS_PATH", str(tmp_path / "steps"))
    ended = nemotron("steps", "list", "--json")
    told = json.loads(ended.stdout)
    assert "sft/automodel" in [step["id"] for step in told["steps"]]
    assert [problem["code"] for problem in told["diagnostics"]] == ["NMT101"]
    assert "step.toml:2:" in ended.stderr
    assert ended.returncode == 2
