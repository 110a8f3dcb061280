"""Facts along the edges: the user's word over a have over a default, and what is written down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from at_hand import chain, derived, plan, resolved
from small import failure, jsonl

from nemotron.planning.plan import Plan

pytestmark = pytest.mark.usefixtures("at_hand")
MEGATRON: dict[str, Any] = {"gpus": 8, "library": "megatron_bridge"}


def tuned(**settings: dict[str, Any]) -> Plan:
    return plan("checkpoint_megatron", "chat.jsonl", "base", settings=settings, **MEGATRON)


def test_a_default_follows_from_what_the_user_set_after_it() -> None:
    """The packs are made for the length that the trainer was given."""
    made = tuned(sft={"model.seq_length": 2048})
    assert chain(made) == ["data_prep/sft_packing", "sft/megatron_bridge"]
    assert resolved(made, "sft_packing", "pack_size") == 2048
    assert derived(made, "sft_packing")["pack_size"].why == "= sft.model.seq_length"


def test_a_default_follows_from_what_the_user_set_before_it() -> None:
    made = tuned(sft_packing={"pack_size": 1024})
    assert resolved(made, "sft", "model.seq_length") == 1024
    assert resolved(made, "sft", "dataset.seq_length") == 1024


def test_what_the_user_set_stays() -> None:
    made = tuned(sft_packing={"pack_size": 2048})
    assert "pack_size" not in derived(made, "sft_packing")
    assert resolved(made, "sft_packing", "pack_size") == 2048


def test_a_have_wins_over_a_default() -> None:
    made = tuned()
    base = str(made.draft.haves["base"].path)
    assert resolved(made, "sft", "tokenizer.tokenizer_model") == base
    assert resolved(made, "sft_packing", "tokenizer.model") == base


def test_the_users_word_against_a_have_is_a_contradiction() -> None:
    """A route without the step that the user set a key of is no way out."""
    found = failure(lambda: tuned(sft={"tokenizer.tokenizer_model": "org/other"}))
    assert found.code == "NMT301"
    assert found.summary.startswith("base says ")
    assert found.summary.endswith("sft.tokenizer.tokenizer_model says org/other")


def test_of_a_contradiction_the_next_way_is_taken() -> None:
    """One trainer reads packs of one size: two sizes leave only data that are not packed."""
    made = tuned(sft={"model.seq_length": 2048, "dataset.seq_length": 1024})
    assert chain(made) == ["sft/megatron_bridge"]
    packed = next(a for a in made.alternatives if a.steps[0] == "data_prep/sft_packing")
    assert "2048" in packed.why
    assert "1024" in packed.why


def test_a_contradiction_that_no_way_avoids_names_both_places() -> None:
    settings = {"sft_packing": {"pack_size": 1024}, "sft": {"model.seq_length": 2048}}
    wish: dict[str, Any] = {**MEGATRON, "through": ("data_prep/sft_packing", "sft/megatron_bridge")}
    found = failure(lambda: plan("checkpoint_megatron", "chat.jsonl", "base", settings=settings, **wish))
    assert found.code == "NMT301"
    assert found.summary == "sft_packing.pack_size says 1024, and sft.model.seq_length says 2048"
    assert "sft.model.seq_length" in found.fix


@pytest.fixture
def short(at_hand: Path) -> None:
    """The base has few positions."""
    file = at_hand / "base" / "config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(config | {"max_position_embeddings": 1024}), encoding="utf-8")


@pytest.mark.usefixtures("short")
def test_sequences_are_no_longer_than_the_positions_of_the_model() -> None:
    made = tuned()
    assert resolved(made, "sft", "model.seq_length") == 1024
    assert derived(made, "sft")["dataset.seq_length"].why == "the max_positions of base"
    assert resolved(made, "sft_packing", "pack_size") == 1024


@pytest.mark.usefixtures("short")
def test_a_length_that_the_user_set_stays_for_the_check_to_refuse() -> None:
    assert resolved(tuned(sft={"model.seq_length": 2048}), "sft", "model.seq_length") == 2048


def test_data_are_packed_for_the_layout_of_their_trainer() -> None:
    made = tuned(sft={"model.tensor_model_parallel_size": 4, "model.sequence_parallel": True})
    multiple = resolved(made, "sft_packing", "pad_multiple")
    assert multiple % 4 == 0
    assert derived(made, "sft_packing")["pad_multiple"].why == "the layout of sft"


def test_one_file_of_two_kinds_of_data_is_two_haves(at_hand: Any) -> None:
    jsonl(at_hand / "more.jsonl", {"messages": [{"role": "user", "content": "more"}]})
    made = plan("checkpoint_lora", "chat.jsonl", "validation:training_jsonl=more.jsonl", "base", gpus=2)
    bound = {port: str(link) for port, link in made.draft.node("peft").inputs.items()}
    assert bound == {"training_jsonl": "chat", "validation": "validation", "base": "base"}
