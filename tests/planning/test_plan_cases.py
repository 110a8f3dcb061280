"""Plans over the shipped catalog: what each case needs, and what is told beside the steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from at_hand import chain, derived, inputs, plan, resolved
from plan_cases import CASES, SERVICE, SUPER, Case
from small import failure, write

from nemotron.diagnostic import Severity
from nemotron.planning.have import Have
from nemotron.planning.parallel import layout_of
from nemotron.planning.plan import PlanWish, situation_of


@pytest.mark.usefixtures("at_hand")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_a_plan_has_the_right_steps(case: Case) -> None:
    made = plan(case.want, *case.haves, **case.wish)
    assert chain(made) == case.steps
    for name, expected in case.inputs.items():
        assert inputs(made, name) == expected
    assert made.problems == []
    assert all(alternative.steps and alternative.why for alternative in made.alternatives)


@pytest.mark.usefixtures("at_hand")
def test_super_on_32_gpus_is_laid_out_as_its_config_says() -> None:
    made = plan("checkpoint_megatron", "chat.jsonl", **SUPER)
    layout = layout_of(made.draft.requests["sft"])
    assert layout is not None
    assert (layout.tensor, layout.pipeline, layout.world, layout.nodes) == (8, 4, 32, 4)
    assert made.draft.configs == {"sft_packing": "default", "sft": "super3"}
    assert resolved(made, "sft_packing", "pad_multiple") == 8
    assert derived(made, "sft_packing")["pad_multiple"].why == "the layout of sft"
    model = "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-BF16"
    assert resolved(made, "sft_packing", "tokenizer.model") == model


@pytest.mark.usefixtures("at_hand")
def test_what_is_not_chosen_is_told_with_the_reason() -> None:
    made = plan("checkpoint_hf", "chat.jsonl", **SUPER)
    told = {tuple(alternative.steps): alternative.why for alternative in made.alternatives}
    assert told["sft/automodel",].startswith("Past one node")
    merged = told["data_prep/sft_packing", "peft/megatron_bridge", "convert/merge_lora"]
    assert "adapter that is merged" in merged
    assert any("Over several nodes" in reason for reason in made.why)


@pytest.mark.usefixtures("at_hand")
def test_an_unpacked_input_is_not_chosen_for_what_its_port_says() -> None:
    made = plan("checkpoint_megatron", "chat.jsonl", **SUPER)
    reasons = {tuple(a.steps): a.why for a in made.alternatives}
    assert "not packed" in reasons["sft/megatron_bridge",]


@pytest.mark.usefixtures("at_hand")
def test_what_avoids_a_step_to_go_through_is_told_so() -> None:
    made = plan("checkpoint_megatron", "chat.jsonl", "base", gpus=8, through=("sft/megatron_bridge",))
    assert "sft/megatron_bridge" in chain(made)
    others = {tuple(a.steps): a.why for a in made.alternatives}
    assert others["sft/automodel", "convert/hf_to_megatron"] == "it does not go through sft/megatron_bridge"


@pytest.mark.usefixtures("at_hand")
def test_the_translation_asks_for_its_languages_alone() -> None:
    made = plan("translated_mcq_benchmark_parquet", "questions.parquet")
    assert made.draft.configs == {"mcq": "translate"}
    assert [question.key for question in made.questions] == ["mcq.target_language"]


def test_what_is_made_only_with_a_key_asks_for_it(at_hand: Path) -> None:
    write(at_hand / "docs" / "a.md", "Press the red button.")
    made = plan("translated_mcq_benchmark_parquet", "benchmark_source_corpus=docs")
    assert made.draft.configs == {"mcq": "default"}
    assert [(q.key, q.answer) for q in made.questions] == [
        ("mcq.target_language", "--set mcq.target_language=VALUE")
    ]
    told = {"mcq": {"target_language": "de"}}
    done = plan("translated_mcq_benchmark_parquet", "benchmark_source_corpus=docs", settings=told)
    assert done.questions == []
    assert plan("mcq_benchmark_parquet", "benchmark_source_corpus=docs").questions == []


@pytest.mark.usefixtures("at_hand")
def test_a_service_needs_no_gpu_here_and_tells_its_model_and_key() -> None:
    made = plan("eval_results", SERVICE)
    assert made.questions == []
    assert made.draft.requests["model_eval"].gpus == 0
    found = {key: resolved(made, "model_eval", f"endpoint.{key}") for key in ("url", "model", "api_key_env")}
    assert found == {"url": "https://host/v1", "model": "name", "api_key_env": "SERVICE_KEY"}


@pytest.mark.usefixtures("at_hand")
def test_a_service_of_the_config_stays_where_none_is_at_hand() -> None:
    made = plan("eval_results", "raw_jsonl=chat.jsonl", "base", gpus=8, through=("translate/nemo_curator",))
    assert str(resolved(made, "translate", "server.url")).startswith("https://")
    assert derived(made, "translate") == {}


@pytest.mark.usefixtures("at_hand")
def test_what_nobody_can_know_is_asked() -> None:
    made = plan("eval_results", "raw_jsonl=chat.jsonl", "base", through=("translate/nemo_curator",))
    asked = {question.key: question.question for question in made.questions}
    assert asked["hardware.gpus_per_node"].startswith("How many GPUs")
    assert "such as th" in asked["translate.target_language"]


@pytest.mark.usefixtures("at_hand")
@pytest.mark.parametrize(
    ("want", "haves", "detail"),
    [
        ("binidx", ("chat.jsonl",), "data_prep/pretrain_prep needs filtered_jsonl of text"),
        ("filtered_jsonl", ("chat.jsonl",), "curate/nemo_curator needs raw_jsonl"),
        (
            "checkpoint_lora",
            ("chat.jsonl",),
            "peft/automodel needs checkpoint_hf; peft/megatron_bridge needs checkpoint_hf",
        ),
        ("eval_results", ("chat.jsonl",), "eval/model_eval needs checkpoint_hf or endpoint"),
    ],
)
def test_what_is_missing_is_told_by_the_steps_that_lack_least(
    want: str, haves: tuple[str, ...], detail: str
) -> None:
    assert failure(lambda: plan(want, *haves)).detail == detail


def test_a_large_model_on_disk_is_weighed_as_one_on_the_hub(at_hand: Path) -> None:
    with open(at_hand / "base" / "model.safetensors", "r+b") as weights:
        weights.truncate(16_000_000_000)  # a sparse file
    base = Have("base", "checkpoint_hf", path=at_hand / "base")
    assert situation_of(PlanWish("checkpoint_hf", [base])).model_parameters == 8_000_000_000


@pytest.mark.usefixtures("at_hand")
def test_what_is_left_over_names_the_steps_that_take_it_for_its_parent() -> None:
    (problem,) = plan("eval_results", "questions.parquet", "base", gpus=1).problems
    assert problem.detail == "mcq_benchmark_parquet is taken by byob/mcq"


@pytest.mark.usefixtures("at_hand")
def test_validation_data_of_the_config_are_left_out_where_the_plan_has_none() -> None:
    made = plan("checkpoint_lora", "chat.jsonl", "base", gpus=0)
    key = "validation_dataset.path_or_dataset_id"
    assert made.draft.configs == {"peft": "tiny"}
    assert resolved(made, "peft", key) is None
    assert derived(made, "peft")[key].why == "nothing at hand for it"


@pytest.mark.usefixtures("at_hand")
def test_a_have_that_nothing_can_use_blocks_and_is_named() -> None:
    made = plan("checkpoint_hf", "chat.jsonl", "base", "questions.parquet", gpus=8)
    assert chain(made) == ["sft/automodel"]
    (problem,) = made.problems
    assert (problem.code, problem.severity) == ("NMT281", Severity.BLOCKED)
    assert problem.summary == "the plan does not use 'questions' (mcq_benchmark_parquet)"


@pytest.mark.usefixtures("at_hand")
def test_a_have_that_no_step_takes_says_so() -> None:
    made = plan("checkpoint_hf", "chat.jsonl", "base", "e:env_toml=chat.jsonl", "x:eval_results=base", gpus=8)
    assert [problem.detail for problem in made.problems] == [
        "no step takes env_toml",
        "no step takes eval_results",
    ]


@pytest.mark.usefixtures("at_hand")
def test_a_step_that_no_plan_goes_through_blocks() -> None:
    made = plan("checkpoint_lora", "chat.jsonl", "base", gpus=2, through=("byob/mcq",))
    (problem,) = made.problems
    assert (problem.code, problem.summary) == ("NMT281", "no plan goes through byob/mcq")


@pytest.mark.usefixtures("at_hand")
def test_a_goal_that_no_step_makes_names_what_is_near() -> None:
    found = failure(lambda: plan("benchmark_source_corpus", "chat.jsonl"))
    assert (found.code, found.severity) == ("NMT280", Severity.ERROR)
    assert found.summary == "no step makes benchmark_source_corpus"
    assert found.fix == "near it: mcq_benchmark_parquet, translated_mcq_benchmark_parquet"


@pytest.mark.usefixtures("at_hand")
def test_a_goal_that_nothing_leads_to_names_what_is_missing() -> None:
    found = failure(lambda: plan("checkpoint_lora", "chat.jsonl", gpus=2))
    assert (found.code, found.severity) == ("NMT285", Severity.BLOCKED)
    assert "peft/automodel needs checkpoint_hf" in found.detail
    assert found.fix == "add what is missing: --have TYPE=SOURCE"


@pytest.mark.usefixtures("at_hand")
def test_a_step_that_is_left_out_is_not_used() -> None:
    made = plan("checkpoint_hf", "chat.jsonl", "base", gpus=8, without=("sft/automodel",))
    assert chain(made) == ["peft/automodel", "convert/merge_lora"]
    assert all("sft/automodel" not in alternative.steps for alternative in made.alternatives)


@pytest.mark.usefixtures("at_hand")
@pytest.mark.parametrize("option", ["through", "without"])
def test_an_unknown_step_is_reported(option: str) -> None:
    wish: dict[str, Any] = {option: ("sft/automodle",)}
    found = failure(lambda: plan("checkpoint_hf", "chat.jsonl", "base", **wish))
    assert (found.code, found.fix) == ("NMT110", "did you mean 'sft/automodel'?")


@pytest.mark.usefixtures("at_hand")
def test_a_key_of_a_step_that_the_plan_does_not_have_is_reported() -> None:
    wish: dict[str, Any] = {"settings": {"stf": {"optimizer.lr": 1e-5}}}
    found = failure(lambda: plan("checkpoint_hf", "chat.jsonl", "base", gpus=8, **wish))
    assert (found.code, found.fix) == ("NMT271", "did you mean 'sft'?")


@pytest.mark.parametrize("name", ["Super3", "super3", "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-BF16"])
def test_a_model_is_known_by_its_alias(at_hand: Path, name: str) -> None:
    made = plan("checkpoint_megatron", "chat.jsonl", model=name, gpus=32)
    assert at_hand.is_dir()
    assert made.draft.haves["base"].hub == "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-BF16"
    assert made.draft.configs["sft"] == "super3"


@pytest.mark.usefixtures("at_hand")
def test_a_model_that_is_at_hand_already_is_not_added_again() -> None:
    made = plan(
        "checkpoint_lora", "chat.jsonl", "mine:checkpoint_hf=hub:Qwen/Qwen3-8B", model="qwen3-8b", gpus=2
    )
    assert [have.name for have in made.wish.haves] == ["chat", "mine"]
