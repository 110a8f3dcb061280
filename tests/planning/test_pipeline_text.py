"""The text of a plan: it reads back as the same plan, with a comment for each decision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from at_hand import CATALOG, derived, plan
from plan_cases import CASES, SUPER, Case

from nemotron.checking.pipeline_check import check_pipeline
from nemotron.planning.pipeline import Pipeline, read_pipeline, requests
from nemotron.planning.pipeline_text import pipeline_text
from nemotron.planning.plan import Plan


def read_back(made: Plan, folder: Path) -> Pipeline:
    file = folder / "pipeline.yaml"
    file.write_text(pipeline_text(made, folder), encoding="utf-8")
    return read_pipeline(file, CATALOG)


def flat(tree: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in tree.items() if key != "run"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_a_plan_reads_back_as_itself(at_hand: Path, case: Case) -> None:
    made = plan(case.want, *case.haves, **case.wish)
    back = read_back(made, at_hand)
    assert back.want == case.want
    assert [(step.name, step.step) for step in back.steps] == [(n.name, n.step) for n in made.nodes]
    for request in requests(back, CATALOG):
        planned = made.draft.requests[request.name]
        assert flat(request.config.tree) == flat(planned.config.tree)
        assert (request.gpus, request.nodes) == (planned.gpus, planned.nodes)
        assert [(b.port.name, [s.value for s in b.sources]) for b in request.inputs] == [
            (b.port.name, [s.value for s in b.sources]) for b in planned.inputs
        ]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_a_plan_checks_without_an_error(at_hand: Path, case: Case) -> None:
    made = plan(case.want, *case.haves, **case.wish)
    _, found = check_pipeline(read_back(made, at_hand), CATALOG)
    assert [f"{d.code} {d.summary}" for d in found if d.severity == "error"] == []


def test_each_derived_value_has_its_reason(at_hand: Path) -> None:
    made = plan("checkpoint_megatron", "chat.jsonl", **SUPER)
    lines = pipeline_text(made, at_hand).splitlines()
    assert "      pad_multiple: 8  # the layout of sft" in lines
    for key, change in derived(made, "sft_packing").items():
        assert any(line.strip().startswith(f"{key}: ") and line.endswith(f"# {change.why}") for line in lines)


def test_the_users_own_word_is_told_apart(at_hand: Path) -> None:
    settings = {"peft": {"optimizer.lr": 1e-5}}
    text = pipeline_text(plan("checkpoint_lora", "chat.jsonl", "base", gpus=2, settings=settings), at_hand)
    assert "      optimizer.lr: 1.0e-05  # your word" in text.splitlines()


def test_what_is_open_is_marked_with_its_question(at_hand: Path) -> None:
    text = pipeline_text(plan("filtered_jsonl", "raw_jsonl=web.jsonl"), at_hand)
    (line,) = [line for line in text.splitlines() if "fasttext_langid" in line]
    assert line.startswith("      models.fasttext_langid: ???  # ")


def test_paths_count_from_the_folder_of_the_file(at_hand: Path) -> None:
    text = pipeline_text(plan("checkpoint_lora", "chat.jsonl", "base", gpus=2), at_hand)
    assert "chat: {type: training_jsonl, path: chat.jsonl}" in text
