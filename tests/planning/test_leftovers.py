"""A model that no step takes: the data are prepared for it."""

from __future__ import annotations

import pytest
from at_hand import derived, plan, resolved
from small import codes


@pytest.mark.usefixtures("at_hand")
@pytest.mark.parametrize(
    ("want", "have", "name"),
    [
        ("packed_parquet", "chat.jsonl", "sft_packing"),
        ("binidx", "filtered_jsonl=web.jsonl", "pretrain_prep"),
    ],
)
@pytest.mark.parametrize("model", ["Qwen/Qwen3-14B", "Qwen/Qwen3-8B"])
def test_data_are_prepared_for_the_model_at_hand(want: str, have: str, name: str, model: str) -> None:
    made = plan(want, have, model=model)
    assert made.problems == []
    assert resolved(made, name, "tokenizer.model") == model
    assert derived(made, name)["tokenizer.model"].why == "= base"


@pytest.mark.usefixtures("at_hand")
def test_the_tokenizer_of_a_folder_is_taken_too() -> None:
    made = plan("packed_parquet", "chat.jsonl", "base")
    assert made.problems == []
    assert resolved(made, "sft_packing", "tokenizer.model").endswith("/base")


@pytest.mark.usefixtures("at_hand")
def test_a_tokenizer_that_the_user_set_stays() -> None:
    settings = {"sft_packing": {"tokenizer.model": "Qwen/Qwen3-14B"}}
    other = plan("packed_parquet", "chat.jsonl", model="Qwen/Qwen3-8B", settings=settings)
    assert codes(other.problems) == ["NMT281"]
    assert resolved(other, "sft_packing", "tokenizer.model") == "Qwen/Qwen3-14B"
    assert plan("packed_parquet", "chat.jsonl", model="Qwen/Qwen3-14B", settings=settings).problems == []


@pytest.mark.usefixtures("at_hand")
@pytest.mark.parametrize(
    ("want", "haves"),
    [
        ("packed_parquet", ("chat.jsonl", "base", "tuned")),  # one tokenizer is enough
        ("packed_parquet", ("chat.jsonl", "adapter")),  # the folder has none
        ("preference_jsonl", ("pairs.jsonl", "base")),  # nothing is tokenised
    ],
)
def test_what_gives_no_tokenizer_is_not_used(want: str, haves: tuple[str, ...]) -> None:
    assert codes(plan(want, *haves).problems) == ["NMT281"]
