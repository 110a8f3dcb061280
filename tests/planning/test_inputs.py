"""Which artifacts may stand together at the inputs of a step."""

from __future__ import annotations

import pytest
from at_hand import chain, inputs, plan

from nemotron.planning.inputs import are_strangers, is_mixed
from nemotron.planning.problem import Action, Derivation, Given, Output, Port

IDENTITIES = frozenset({"model", "base_model"})
MODEL, DATA = Port("base", "model"), Port("data", "data")
ADAPT = Action(
    "adapt", 1.0, (MODEL, DATA), (Output("adapter", "adapter", carried={"base_model": (0, "model")}),)
)
TUNE = Action("tune", 1.0, (MODEL, DATA), (Output("model", "model"),))
CONVERT = Action("convert", 1.0, (MODEL,), (Output("model", "model", carried={"model": (0, "model")}),))
MERGE = Action(
    "merge",
    1.0,
    (Port("adapter", "adapter", same={"base_model": (1, "model")}), MODEL),
    (Output("model", "model"),),
)
JUDGE = Action("judge", 1.0, (MODEL, Port("judge", "model", apart=True)), (Output("model", "model"),))


def given(name: str, bit: int, kind: str = "model", **facts: str) -> Derivation:
    return Derivation(kind, 0.0, 1 << bit, facts, Given(name, kind, facts))


def made(action: Action, *inputs: Derivation) -> Derivation:
    uses = 0
    for each in inputs:
        uses |= each.uses
    return Derivation(
        action.outputs[0].type,
        1.0,
        uses,
        {},
        None,
        action,
        action.outputs[0],
        inputs,
        frozenset({action.step}),
    )


ONE, OTHER = given("one", 0, model="digest of one"), given("other", 1, model="digest of other")
TEXT = given("text", 2, "data")
ADAPTER = made(ADAPT, ONE, TEXT)
AT_HAND = given("adapter", 3, "adapter", base_model="digest of one")
BY_NAME = given("adapter", 3, "adapter", base_model="hub:org/name@main")


@pytest.mark.parametrize(
    ("adapter", "base", "strangers"),
    [
        (ADAPTER, ONE, False),
        (ADAPTER, OTHER, True),
        (ADAPTER, made(TUNE, ONE, TEXT), True),
        (ADAPTER, made(CONVERT, ONE), False),
        (made(ADAPT, made(TUNE, ONE, TEXT), TEXT), made(TUNE, ONE, TEXT), False),
        (made(ADAPT, made(TUNE, ONE, TEXT), TEXT), made(TUNE, OTHER, TEXT), True),
        (AT_HAND, ONE, False),
        (AT_HAND, OTHER, True),
        (AT_HAND, made(TUNE, ONE, TEXT), True),
        (BY_NAME, ONE, False),
        (given("adapter", 3, "adapter"), ONE, False),
    ],
)
def test_an_adapter_goes_with_the_base_that_it_was_trained_on(
    adapter: Derivation, base: Derivation, strangers: bool
) -> None:
    assert are_strangers(MERGE, [adapter, base], IDENTITIES) is strangers
    assert not are_strangers(MERGE, [adapter, base], frozenset())


@pytest.mark.parametrize(
    ("policy", "judge", "mixed"),
    [(ONE, OTHER, False), (made(TUNE, ONE, TEXT), ONE, True), (made(TUNE, ONE, TEXT), OTHER, False)],
)
def test_a_judge_is_not_what_the_policy_is_made_from(
    policy: Derivation, judge: Derivation, mixed: bool
) -> None:
    assert is_mixed(JUDGE, [policy, judge]) is mixed


SPARE = Port("validation", "data", optional=True)
CLEAN = Action("clean", 1.0, (DATA,), (Output("data", "data"),))
TRAIN = Action("train", 1.0, (DATA, SPARE), (Output("model", "model"),))


@pytest.mark.parametrize(
    ("data", "validation", "mixed"),
    [
        (TEXT, made(CLEAN, TEXT), True),
        (made(CLEAN, TEXT), TEXT, True),
        (TEXT, given("held out", 3, "data"), False),
        (made(CLEAN, TEXT), made(CLEAN, given("held out", 3, "data")), False),
    ],
)
def test_validation_data_are_not_made_from_the_training_data(
    data: Derivation, validation: Derivation, mixed: bool
) -> None:
    assert is_mixed(TRAIN, [data, validation]) is mixed


@pytest.mark.usefixtures("at_hand")
def test_of_two_bases_at_hand_an_adapter_gets_its_own() -> None:
    made = plan("checkpoint_hf", "tuned", "adapter", "base", without=("optimize/modelopt/distill",))
    assert chain(made) == ["convert/merge_lora"]
    assert inputs(made, "merge_lora") == {"adapter": "adapter", "base": "base"}


@pytest.mark.usefixtures("at_hand")
def test_what_does_not_belong_together_is_planned_for_the_check_to_tell() -> None:
    assert chain(plan("checkpoint_hf", "adapter", "tuned")) == ["convert/merge_lora"]
