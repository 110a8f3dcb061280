"""Which steps a plan may use."""

from __future__ import annotations

import pytest
from at_hand import chain, inputs, plan
from plan_cases import SERVICE
from small import failure


@pytest.mark.usefixtures("at_hand")
def test_what_the_user_sets_a_key_of_is_gone_through_and_trained_on() -> None:
    told = {"translate": {"target_language": "de", "source_language": "en"}}
    made = plan("checkpoint_lora", "chat.jsonl", "base", gpus=1, settings=told)
    assert chain(made) == ["translate/nemo_curator", "peft/automodel"]
    assert inputs(made, "peft") == {"training_jsonl": "translate.translated_jsonl", "base": "base"}


@pytest.mark.usefixtures("at_hand")
def test_a_service_that_nothing_was_said_for_translates_nothing() -> None:
    made = plan("checkpoint_hf", "chat.jsonl", "base", SERVICE, gpus=8)
    assert chain(made) == ["sft/automodel"]
    assert [problem.code for problem in made.problems] == ["NMT281"]
    assert "translate/nemo_curator" in made.problems[0].detail


@pytest.mark.usefixtures("at_hand")
@pytest.mark.parametrize("library", ["megatronbridge", "nemo_curator"])
def test_a_library_that_trains_nothing_is_refused(library: str) -> None:
    problem = failure(lambda: plan("checkpoint_lora", "chat.jsonl", "base", gpus=1, library=library))
    assert problem.code == "NMT607"
    assert problem.fix.startswith("one of: automodel, megatron_bridge, ")
