"""Which shipped config a plan takes: the one that makes what the plan wants of the step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small import chat

from nemotron.catalog.catalog import default_catalog
from nemotron.planning.have import parse_have
from nemotron.planning.plan import PlanWish, make_plan


@pytest.fixture(autouse=True)
def conversations(project: Path) -> None:
    chat(project / "chat.jsonl")


def config_of(step: str, want: str, *haves: str, **wish: Any) -> str:
    catalog = default_catalog()
    plan = make_plan(PlanWish(want, [parse_have(h, catalog.types) for h in haves], **wish), catalog)
    return next(plan.draft.configs[node.name] for node in plan.nodes if node.step == step)


@pytest.mark.parametrize(
    ("want", "config"), [("synthetic_jsonl", "default"), ("preference_jsonl", "rl_pref")]
)
def test_the_config_makes_the_output_that_is_wanted(want: str, config: str) -> None:
    assert config_of("sdg/data_designer", want, "seed:training_jsonl=chat.jsonl") == config


def test_so_it_does_for_an_output_that_another_step_takes() -> None:
    base = "base:checkpoint_hf=hub:Qwen/Qwen3-8B"
    through = ("sdg/data_designer", "rl/nemo_rl/dpo")
    haves = ("seed:training_jsonl=chat.jsonl", base)
    assert config_of("sdg/data_designer", "checkpoint_hf", *haves, gpus=8, through=through) == "rl_pref"


def test_without_gpus_the_tiny_config_is_taken_where_it_makes_that() -> None:
    base = "base:checkpoint_hf=hub:Qwen/Qwen3-8B"
    assert config_of("peft/automodel", "checkpoint_lora", "chat.jsonl", base, gpus=0) == "tiny"
    seed = "seed:training_jsonl=chat.jsonl"
    assert config_of("sdg/data_designer", "preference_jsonl", seed, gpus=0) == "rl_pref"


def test_what_needs_no_gpu_is_done_in_earnest_without_one() -> None:
    base = "base:checkpoint_hf=hub:Qwen/Qwen3-8B"
    assert config_of("data_prep/sft_packing", "packed_parquet", "chat.jsonl", gpus=0) == "default"
    assert config_of("eval/model_eval", "eval_results", base, gpus=0) == "default"
    assert config_of("convert/hf_to_megatron", "checkpoint_megatron", base, gpus=0) == "default"


def test_an_adapter_of_a_large_model_is_trained_on_all_gpus() -> None:
    catalog = default_catalog()
    haves = [parse_have(have, catalog.types) for have in ("chat.jsonl", "hub:meta-llama/Llama-3.1-70B")]
    plan = make_plan(PlanWish("checkpoint_lora", haves, gpus=8, library="automodel"), catalog)
    assert [(node.step, plan.draft.gpus[node.name]) for node in plan.nodes] == [("peft/automodel", 8)]
