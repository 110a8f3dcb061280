"""From a derivation to named steps: what is made twice alike is made once."""

from __future__ import annotations

from small import SmallCatalog

from nemotron.planning.nodes import Link, nodes_of, short_name
from nemotron.planning.problem import Action, Derivation, Given, Output, Port

SPLIT = Action("a/split", 1.0, (Port("raw", "raw"),), (Output("train", "data"), Output("rest", "data")))
TUNE = Action(
    "b/tune", 1.0, (Port("data", "data"), Port("check", "data", optional=True)), (Output("m", "m"),)
)
RAW = Derivation("raw", 0.0, 1, {}, Given("raw", "raw"))


def made(action: Action, output: int, *inputs: Derivation | None) -> Derivation:
    return Derivation("data", 1.0, 1, {}, None, action, action.outputs[output], inputs, frozenset())


def catalog(small: SmallCatalog) -> SmallCatalog:
    small.step("a/split", '[[produces]]\ntype = "scores"\nat = "out"\n')
    small.step("b/tune", '[[produces]]\ntype = "scores"\nat = "out"\n')
    small.step("sft/automodel", head='library = "automodel"')
    return small


def test_two_outputs_of_one_use_are_of_one_step(small: SmallCatalog) -> None:
    steps = {step.id: step for step in catalog(small).catalog().steps()[0]}
    whole = made(TUNE, 0, made(SPLIT, 0, RAW), made(SPLIT, 1, RAW))
    split, tune = nodes_of(whole, steps)
    assert (split.name, split.inputs) == ("split", {"raw": Link("raw")})
    assert {port: str(link) for port, link in tune.inputs.items()} == {
        "data": "split.train",
        "check": "split.rest",
    }


def test_two_uses_of_one_step_have_two_names(small: SmallCatalog) -> None:
    steps = {step.id: step for step in catalog(small).catalog().steps()[0]}
    other = Derivation("raw", 0.0, 2, {}, Given("other", "raw"))
    whole = made(TUNE, 0, made(SPLIT, 0, RAW), made(SPLIT, 0, other))
    assert [node.name for node in nodes_of(whole, steps)] == ["split", "split_2", "tune"]


def test_an_empty_port_is_left_out(small: SmallCatalog) -> None:
    steps = {step.id: step for step in catalog(small).catalog().steps()[0]}
    (_, tune) = nodes_of(made(TUNE, 0, made(SPLIT, 0, RAW), None), steps)
    assert tune.inputs.keys() == {"data"}


def test_a_step_named_after_its_library_is_called_by_its_category(small: SmallCatalog) -> None:
    steps = {step.id: step for step in catalog(small).catalog().steps()[0]}
    assert [short_name(steps[name]) for name in ("sft/automodel", "a/split")] == ["sft", "split"]
