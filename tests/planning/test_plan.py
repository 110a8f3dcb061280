"""What a plan takes only when it is asked to, and where it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small import chat, failure

from nemotron.catalog.catalog import default_catalog
from nemotron.hardware.gpu_table import gpu_kind
from nemotron.planning.have import parse_have
from nemotron.planning.plan import Plan, PlanWish, make_plan

BASE = "base:checkpoint_hf=hub:Qwen/Qwen3-8B"


def planned(want: str, *haves: str, **wish: Any) -> Plan:
    catalog = default_catalog()
    return make_plan(PlanWish(want, [parse_have(h, catalog.types) for h in haves], **wish), catalog)


def test_a_model_at_hand_is_not_pruned_because_a_model_is_wanted() -> None:
    assert failure(lambda: planned("checkpoint_hf", BASE, gpus=8)).code == "NMT285"


@pytest.mark.parametrize("step", ["optimize/modelopt/prune", "optimize/modelopt/quantize"])
def test_what_is_only_taken_when_it_is_named_is_taken_then(step: str) -> None:
    want = "checkpoint_hf" if step.endswith("prune") else "checkpoint_megatron"
    plan = planned(want, BASE, gpus=8, through=(step,))
    assert step in [node.step for node in plan.nodes]


def test_a_step_over_several_machines_says_how_many(project: Path) -> None:
    chat(project / "chat.jsonl")
    plan = planned(
        "checkpoint_megatron", "chat.jsonl", model="Qwen/Qwen3-32B", gpus=16, nodes=2, gpu=gpu_kind("h200")
    )
    assert plan.draft.hosts == {"sft": 2}
    request = plan.draft.requests["sft"]
    assert (request.gpus, request.nodes) == (16, 2)
