"""All rules together: every problem at once, each once, worst first."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small import SmallCatalog, checkpoint, codes, jsonl

from nemotron.catalog.catalog import default_catalog
from nemotron.checking.check import RULES, check_step
from nemotron.diagnostic import Diagnostic, Severity, exit_code
from nemotron.planning.resolve import Wish, resolve

PORTS = """
    [[consumes]]
    type = "chat_jsonl"
    at = "data"
    [[consumes]]
    type = "checkpoint_hf"
    at = "base"
    facts = { chat_template = { unless = "template" } }
    [[produces]]
    type = "checkpoint_hf"
    at = "output"
    [[parameters]]
    key = "lr"
    type = "number"
    description = "A rate."
    [[parameters]]
    key = "template"
    type = "string"
    description = "A template."
"""


def stocked(small: SmallCatalog) -> SmallCatalog:
    small.step("train/one", PORTS, default="data: ???\nbase: ???\noutput: null\nlr: 1\ntemplate: null\n")
    return small


def test_all_problems_come_at_once_and_sorted(small: SmallCatalog, project: Path) -> None:
    jsonl(project / "chat.jsonl", "bad")
    checkpoint(project / "base", template=None)
    arguments = [
        "data=chat.jsonl",
        "base=base",
        "lr=fast",
        "output=base",
        "rl=5",
        "x=${nowhere}",
        "key.api_key=hunter2",
    ]
    found = stocked(small).check("train/one", *arguments, gpus=99)
    problems = ["NMT204"] * 3 + ["NMT206", "NMT215", "NMT220", "NMT304", "NMT620", "NMT701", "NMT703"]
    assert sorted(codes(found)) == problems
    assert found == sorted(found, key=Diagnostic.sort_key)
    assert exit_code(found) == 2


def test_a_request_without_problems_has_none(small: SmallCatalog, project: Path) -> None:
    jsonl(project / "chat.jsonl", {"messages": [{"role": "user", "content": "x"}]})
    checkpoint(project / "base")
    assert stocked(small).check("train/one", "data=chat.jsonl", "base=base") == []


def test_what_is_missing_blocks_but_is_no_error(small: SmallCatalog, project: Path) -> None:
    found = stocked(small).check("train/one")
    assert codes(found) == ["NMT208", "NMT208"]
    assert exit_code(found) == 3


def test_a_problem_that_two_rules_meet_is_told_once(small: SmallCatalog, project: Path) -> None:
    request = stocked(small).request("train/one", "x=${nowhere}")
    request.config.problems *= 2
    assert codes(check_step(request)).count("NMT206") == 1


def test_no_rule_changes_the_request(small: SmallCatalog, project: Path) -> None:
    jsonl(project / "chat.jsonl", "bad")
    request = stocked(small).request("train/one", "data=chat.jsonl", "base=gone")
    first = check_step(request)
    assert check_step(request) == first
    assert len(RULES) == len(set(RULES))


# Arguments of sft/automodel that have nothing to do with each other, and what is found for each.
MISTAKES = {
    "optimizer.lr=fast": "NMT220",
    "optimizer.betas=${nowhere}": "NMT206",
    "step_scheduler.max_step=30": "NMT204",
    "modle.seq_length=4": "NMT204",
    "model.torch_dtype=float33": "NMT223",
    "step_scheduler.val_every_steps=0": "NMT224",
    "distributed.cp_size=two": "NMT220",
    "distributed.tp_size=16": "NMT401",
    "validation_dataset.path_or_dataset_id=gone.jsonl": "NMT213",
    "checkpoint.checkpoint_dir=base": "NMT703",
    "wandb.api_key=hunter2hunter2": "NMT701",
    "run.gpu=8": "NMT204",
    "run.nodes=none": "NMT220",
}


@given(st.sets(st.sampled_from(sorted(MISTAKES))))
@settings(max_examples=60)
def test_as_many_problems_are_found_as_mistakes_were_made(mistakes: set[str]) -> None:
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        patch.chdir(folder)
        jsonl(Path("chat.jsonl"), {"messages": [{"role": "user", "content": "x"}]})
        checkpoint(Path("base"), num_attention_heads=16, num_key_value_heads=16, max_position_embeddings=9999)
        inputs = ["dataset.path_or_dataset_id=chat.jsonl", "model.pretrained_model_name_or_path=base"]
        wish = Wish("sft/automodel", "default", [*inputs, *sorted(mistakes)], 8)
        found = check_step(resolve(wish, default_catalog()))
        errors = [d for d in found if d.severity is Severity.ERROR]
        assert sorted(codes(errors)) == sorted(MISTAKES[mistake] for mistake in mistakes)
        assert {d.where.argument.partition("=")[0] for d in errors if d.where and d.where.argument} == {
            mistake.partition("=")[0] for mistake in mistakes
        }
