"""What a training keeps on a GPU, against numbers worked out by hand."""

from __future__ import annotations

import pytest

from nemotron.hardware.layout import Layout
from nemotron.hardware.memory import expert_parameters, kept_gib
from nemotron.hardware.shapes import ModelShape

GIB = 1 << 30
DENSE = ModelShape(parameters=8 * GIB)
# 1 GiB of parameters that all tokens use, 16 experts of 1 GiB each, of which a token uses two.
SPARSE = ModelShape(parameters=17 * GIB, active_parameters=3 * GIB, experts=16, experts_per_token=2)


@pytest.mark.parametrize(
    ("layout", "held", "sharded", "expected"),
    [
        (Layout(world=1), 0, 16, 128),
        (Layout(world=8), 0, 16, 16),
        (Layout(world=8, data_replicate=2), 0, 16, 32),
        (Layout(world=1), 6, 12, 144),
        (Layout(world=8, tensor=2, pipeline=2), 6, 12, 12 + 12),
        (Layout(world=8), 2, 0, 16),
    ],
)
def test_of_a_dense_model(layout: Layout, held: float, sharded: float, expected: float) -> None:
    assert kept_gib(layout, DENSE, held, sharded) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        (Layout(world=8), 17),
        (Layout(world=8, expert=8), 1 + 2),
        (Layout(world=8, tensor=2, expert=4, expert_tensor=1), 0.5 + 4),
        (Layout(world=8, tensor=2, expert=4), 0.5 + 2),
        (Layout(world=8, pipeline=2, expert=4), 0.5 + 2),
    ],
)
def test_experts_lie_where_expert_parallelism_puts_them(layout: Layout, expected: float) -> None:
    assert expert_parameters(SPARSE) == pytest.approx(16 * GIB)
    assert kept_gib(layout, SPARSE, 1, 0) == pytest.approx(expected)


def test_without_a_count_of_parameters_nothing_is_estimated() -> None:
    assert kept_gib(Layout(world=8), ModelShape(layers=4), 6, 12) is None


def test_experts_of_which_nobody_says_how_much_is_active_count_as_dense() -> None:
    assert expert_parameters(ModelShape(parameters=17 * GIB, experts=16, experts_per_token=2)) == 0
