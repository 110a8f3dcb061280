"""A layout's derived sizes."""

from __future__ import annotations

import pytest

from nemotron.hardware.layout import Layout


def test_data_parallel_is_what_the_model_leaves() -> None:
    assert Layout(world=32, tensor=4, pipeline=2, context=2).data_parallel == 2
    assert Layout(world=30, tensor=4).data_parallel is None


def test_experts_take_tensor_parallel_where_theirs_is_unset() -> None:
    assert Layout(world=8, tensor=4, expert=2, pipeline=3).expert_parallel == 24
    assert Layout(world=8, tensor=4, expert=2, pipeline=3, expert_tensor=1).expert_parallel == 6


def test_the_smallest_world_holds_both() -> None:
    layout = Layout(world=1, tensor=4, pipeline=2, context=3, expert=8, expert_tensor=1)
    assert layout.smallest_world == 48  # lcm of 4·2·3 and 1·8·2


def test_micro_batches_of_one_replica() -> None:
    layout = Layout(world=8, tensor=2, micro_batch=2, global_batch=32)
    assert layout.micro_batches == 4
    assert Layout(world=8, tensor=2, micro_batch=3, global_batch=32).micro_batches is None
    assert Layout(world=8, tensor=2, global_batch=32).micro_batches is None


@pytest.mark.parametrize(
    ("tensor", "context", "sequence_parallel", "expected"),
    [
        (1, 1, False, 1),
        (4, 1, False, 1),
        (4, 1, True, 4),
        (1, 2, False, 4),
        (4, 2, True, 8),
        (3, 2, True, 12),
    ],
)
def test_packs_are_padded_to(tensor: int, context: int, sequence_parallel: bool, expected: int) -> None:
    layout = Layout(world=24, tensor=tensor, context=context, sequence_parallel=sequence_parallel)
    assert layout.pad_multiple == expected
