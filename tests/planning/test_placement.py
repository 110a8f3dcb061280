"""How many GPUs and nodes a step gets, by who asks."""

from __future__ import annotations

import pytest
from small import SmallCatalog

from nemotron.config.layers import RunSection
from nemotron.planning.placement import UNSAID, Offer, place

EIGHT, TWO_OF_EIGHT = Offer(None, 8), Offer(2, 8)


@pytest.mark.parametrize(
    ("usual", "run", "offer", "gpus", "nodes", "expected"),
    [
        (8, {}, UNSAID, None, None, (8, 1)),
        (8, {"gpus": 4, "nodes": 2}, UNSAID, None, None, (4, 2)),
        (8, {"gpus": 4, "nodes": 2}, UNSAID, 16, None, (16, 2)),
        (8, {"gpus": 4, "nodes": 4}, TWO_OF_EIGHT, None, None, (16, 2)),
        (8, {}, TWO_OF_EIGHT, None, 1, (8, 1)),
        (8, {}, TWO_OF_EIGHT, 8, None, (8, 1)),
        (8, {}, TWO_OF_EIGHT, 12, None, (12, 2)),
        (8, {}, EIGHT, 32, None, (32, 4)),
        (8, {}, EIGHT, None, None, (8, 1)),
        (8, {}, EIGHT, None, 3, (24, 3)),
        (8, {"gpus": 0}, TWO_OF_EIGHT, None, None, (0, 1)),
        (0, {}, TWO_OF_EIGHT, None, None, (0, 1)),
        (1, {}, TWO_OF_EIGHT, None, None, (1, 1)),
        (1, {"gpus": 16}, TWO_OF_EIGHT, None, None, (8, 1)),
        (1, {}, TWO_OF_EIGHT, 16, None, (16, 2)),
        (8, {}, Offer(1, 0), None, None, (8, 1)),
        (8, {}, TWO_OF_EIGHT, 0, None, (0, 1)),
    ],
)
def test_a_step_gets_what_was_named_then_the_offer_then_what_it_asks_for(
    small: SmallCatalog,
    usual: int,
    run: dict[str, int],
    offer: Offer,
    gpus: int | None,
    nodes: int | None,
    expected: tuple[int, int],
) -> None:
    small.step("train/one", head=f"gpus = {usual}", default="a: 1\n")
    step = small.catalog().find("one")
    assert place(step, RunSection(**run), offer, gpus, nodes) == expected


@pytest.mark.parametrize(
    ("run", "offer", "expected"),
    [({"gpus": 1}, TWO_OF_EIGHT, (16, 2)), ({"gpus": 1}, UNSAID, (1, 1)), ({"gpus": 0}, EIGHT, (0, 1))],
)
def test_a_trainer_takes_all_gpus_though_its_config_asks_for_one(
    small: SmallCatalog, run: dict[str, int], offer: Offer, expected: tuple[int, int]
) -> None:
    layout = '[parallelism]\nrules = "fsdp2"\nmicro_batch = "a"\n'
    small.step("train/one", layout, head="gpus = 1", default="a: 1\n")
    step = small.catalog().find("one")
    assert place(step, RunSection(**run), offer, None, None) == expected


def test_a_conversion_takes_the_gpus_that_it_asks_for_though_it_has_a_layout(small: SmallCatalog) -> None:
    layout = '[parallelism]\nrules = "megatron_core"\ntensor = "a"\n'
    small.step("convert/one", layout, head="gpus = 1", default="a: 1\n")
    step = small.catalog().find("one")
    assert place(step, RunSection(), TWO_OF_EIGHT, None, None) == (1, 1)
    assert place(step, RunSection(gpus=8), TWO_OF_EIGHT, None, None) == (8, 1)


@pytest.mark.parametrize(
    ("above", "below", "expected"),
    [
        (UNSAID, TWO_OF_EIGHT, TWO_OF_EIGHT),
        (Offer(4, 4), TWO_OF_EIGHT, Offer(4, 4)),
        (EIGHT, Offer(3, 1), Offer(3, 8)),
        (Offer(1, 0), TWO_OF_EIGHT, Offer(1, 0)),
    ],
)
def test_a_profile_counts_before_the_pipelines_hardware(above: Offer, below: Offer, expected: Offer) -> None:
    assert above.over(below) == expected
