"""The proposals: legal, near, and changing only what the trainer can change."""

from __future__ import annotations

from hypothesis import given, settings

from hardware.layouts import any_layout, any_shape, legal_megatron
from nemotron.hardware.layout import Layout
from nemotron.hardware.layout_rules import violations
from nemotron.hardware.legal_layouts import differences, nearest_legal, nearest_worlds
from nemotron.hardware.shapes import ModelShape

ALL = frozenset(Layout.__dataclass_fields__) - {"world", "nodes", "uneven_stages", "packed", "fine_tuning"}
QWEN3_8B = ModelShape(layers=36, heads=32, kv_heads=8, ffn=12288, vocab=151936)


def test_a_tensor_parallel_size_of_seven_becomes_eight() -> None:
    layout = Layout(world=8, tensor=7, micro_batch=1, global_batch=32)
    first, *_ = nearest_legal("megatron_core", layout, QWEN3_8B, ALL)
    assert differences(layout, first) == [("tensor", 7, 8)]


def test_a_batch_goes_to_the_nearest_multiple() -> None:
    layout = Layout(world=8, tensor=2, micro_batch=2, global_batch=30)
    first, *_ = nearest_legal("megatron_core", layout, QWEN3_8B, ALL)
    assert differences(layout, first) == [("global_batch", 30, 32)]


def test_what_follows_is_changed_too() -> None:
    moe = ModelShape(layers=48, heads=32, kv_heads=4, vocab=151936, experts=128, moe_ffn=768)
    layout = Layout(world=8, tensor=3, expert=8, expert_tensor=1, micro_batch=1, global_batch=8)
    first, *_ = nearest_legal("megatron_core", layout, moe, ALL)
    assert ("sequence_parallel", False, True) in differences(layout, first)


def test_two_sizes_are_changed_where_one_is_not_enough() -> None:
    layout = Layout(world=8, tensor=16, pipeline=5)
    found = nearest_legal("megatron_core", layout, QWEN3_8B, ALL)
    assert found
    assert all({name for name, _, _ in differences(layout, each)} == {"tensor", "pipeline"} for each in found)


@settings(max_examples=150)
@given(any_layout(), any_shape())
def test_every_proposal_is_legal_and_on_the_same_gpus(layout: Layout, shape: ModelShape) -> None:
    for kind in ("megatron_core", "fsdp2"):
        for proposal in nearest_legal(kind, layout, shape, ALL):
            assert violations(kind, proposal, shape) == []
            assert proposal.world == layout.world


@settings(max_examples=60)
@given(legal_megatron())
def test_a_layout_with_one_wrong_size_has_a_proposal(case: tuple[Layout, ModelShape]) -> None:
    layout, shape = case
    wrong = Layout(**{**layout.__dict__, "tensor": layout.world * 2 + 1})
    proposals = nearest_legal("megatron_core", wrong, shape, ALL)
    assert proposals
    assert all(violations("megatron_core", each, shape) == [] for each in proposals)


def test_only_what_can_be_changed_is_changed() -> None:
    layout = Layout(world=8, tensor=7, pipeline=3)
    for proposal in nearest_legal("fsdp2", layout, QWEN3_8B, {"tensor", "pipeline"}):
        assert {name for name, _, _ in differences(layout, proposal)} <= {"tensor", "pipeline"}
    assert nearest_legal("fsdp2", layout, QWEN3_8B, {"context"}) == []


def test_worlds_around_the_given_one() -> None:
    assert nearest_worlds(Layout(world=10, tensor=4)) == [8, 12]
    assert nearest_worlds(Layout(world=3, tensor=4)) == [4]
