"""`nemotron steps show`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from catalogs.helpers import Nemotron

pytestmark = pytest.mark.usefixtures("fake_steps")


def test_everything_in_the_manifest_is_shown(nemotron: Nemotron) -> None:
    ended = nemotron("steps", "show", "test/word_count", env={"COLUMNS": "200"})
    assert ended.returncode == 0
    for words in (
        "test/word_count: Word count",
        "it really reads and writes",
        "default, letters",
        "counting, for-tests",
        "training_jsonl  at data",
        "base: checkpoint_hf  at base  (optional)",
        "chat_template: must be there, unless chat_template is set",
        "counts: eval_results  at output",
        "documents: known after the run",
        "language: equals language",
        "unit  (string, words | letters, default words)",
        "minimum  (integer, 1…100, default 1)",
        "Count letters.",
        "Pick it when\n  A test needs a step.",
        "Not when\n  Words are to be weighed.",
        "Remove the empty turns.",
        "Run it: nemotron steps run test/word_count -c default",
    ):
        assert words in ended.stdout


def test_the_manifest_is_data_too(nemotron: Nemotron, fake_steps: Path) -> None:
    told = json.loads(nemotron("steps", "show", "test/word_count", "--json").stdout)
    assert told["step"]["id"] == "test/word_count"
    assert told["folder"] == str(fake_steps / "test" / "word_count")
    assert told["configs"] == ["default", "letters"]
    assert told["produces"][0]["facts"]["documents"]["measured"] is True
    assert told["key_ignores"] == ["note", "pause"]


def test_a_trainer_s_layout_and_models_are_shown(nemotron: Nemotron) -> None:
    shown = nemotron("steps", "show", "sft/automodel").stdout
    assert "Parallel layout (rules: fsdp2)" in shown
    assert "Qwen/Qwen3-8B  (at least 2 GPUs, the default)" in shown
    assert "-c tiny" in shown.splitlines()[-1]


def test_what_to_read_is_shown_and_what_is_not_there(nemotron: Nemotron) -> None:
    pack = "references/context/automodel-tuning.md"
    shown = nemotron("steps", "show", "sft/automodel").stdout.partition("\nRead\n")[2].split()
    assert shown[0].endswith("steps/sft/automodel/README.md")
    assert shown[1].endswith(pack)
    told = json.loads(nemotron("steps", "show", "sft/automodel", "--json").stdout)
    assert [page.endswith(pack) for page in told["read"]] == [True]
    assert told["warnings"] == []


@pytest.mark.parametrize("name", ["word_count", "/test/word_count/"])
def test_an_id_may_be_abbreviated_to_its_tail(nemotron: Nemotron, name: str) -> None:
    assert nemotron("steps", "show", name).stdout.startswith("test/word_count: ")


def test_candidates_are_listed_when_there_are_several(nemotron: Nemotron) -> None:
    ended = nemotron("steps", "show", "automodel")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "NMT111" in ended.stderr
    assert all(step in ended.stderr for step in ("peft/automodel", "pretrain/automodel", "sft/automodel"))


@pytest.mark.parametrize("name", ["word_cuont", "test/word_cuont", "tets/word_count"])
def test_an_unknown_step_comes_with_the_nearest(nemotron: Nemotron, name: str) -> None:
    ended = nemotron("steps", "show", name, "--json")
    problem = json.loads(ended.stdout)["diagnostics"][0]
    assert (ended.returncode, problem["code"]) == (2, "NMT110")
    assert problem["fix"] == "did you mean test/word_count?"
