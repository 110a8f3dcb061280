"""Steps as the search sees them: what each use costs, and which ports and outputs it has."""

from __future__ import annotations

from typing import Any

import pytest
from small import SmallCatalog

from nemotron.catalog.manifest import Condition
from nemotron.planning.actions import Situation, actions_of, holds
from nemotron.planning.problem import Action

PORTS = """
    [[consumes]]
    type = "raw_jsonl"
    at = "data"
    one_of = "data"
    facts = { record = { value = "text" } }

    [[consumes]]
    type = "packs"
    at = "packs"
    one_of = "data"
    cost = 2.5

    [[consumes]]
    name = "base"
    type = "checkpoint_hf"
    at = "base"
    required = false

    [[produces]]
    type = "checkpoint_hf"
    at = "out"
    facts = { tokenizer = { from = "base.tokenizer" } }

    [[produces]]
    type = "scores"
    at = "out"
    with_input = "packs"
"""


def actions(small: SmallCatalog, **situation: Any) -> list[Action]:
    steps = small.catalog().steps()[0]
    return list(actions_of(steps, Situation(**{"want": "checkpoint_hf", **situation})))


@pytest.mark.parametrize(
    ("condition", "situation", "expected"),
    [
        ({}, {}, True),
        ({"gpus": 2}, {"gpus": 2}, True),
        ({"gpus": 2}, {"gpus": 4}, False),
        ({"gpus": "<=2"}, {"gpus": 2}, True),
        ({"gpus": "<2"}, {"gpus": 2}, False),
        ({"gpus": ">= 8"}, {"gpus": 8}, True),
        ({"gpus": ">8"}, {"gpus": 8}, False),
        ({"gpus": "<=2"}, {}, False),
        ({"model_parameters": ">1e9"}, {"model_parameters": 2e9}, True),
        ({"nodes": ">1", "gpus": ">8"}, {"nodes": 2, "gpus": 8}, False),
        ({"want": "scores"}, {"want": "scores"}, True),
        ({"library": "nemo_rl"}, {}, False),
        ({"gpu_memory_gib": "<100"}, {"gpu_memory_gib": 80.0}, True),
    ],
)
def test_a_condition_holds_where_every_field_matches(
    condition: dict[str, Any], situation: dict[str, Any], expected: bool
) -> None:
    known = Situation(**{"want": "checkpoint_hf", **situation})
    assert holds(Condition(**condition), known) is expected


def test_preferences_that_hold_are_added_to_the_cost(small: SmallCatalog) -> None:
    prefer = """
        [[prefer]]
        if = { gpus = "<=2" }
        cost = 0.5
        why = "Few."

        [[prefer]]
        if = { gpus = ">8" }
        cost = -5.0
        why = "Many."
    """
    small.step("a/b", prefer + '[[produces]]\ntype = "scores"\nat = "out"\n')
    assert [action.cost for action in actions(small, gpus=1)] == [1.5]
    assert [action.cost for action in actions(small, gpus=4)] == [1.0]
    assert [action.cost for action in actions(small, gpus=32)] == [0.1]  # never free


def test_of_alternative_inputs_each_is_a_use_of_its_own(small: SmallCatalog) -> None:
    small.step("a/b", PORTS)
    text, packs = actions(small)
    assert [(port.name, port.optional) for port in text.ports] == [("raw_jsonl", False), ("base", True)]
    assert [(port.name, port.optional) for port in packs.ports] == [("packs", False), ("base", True)]
    assert (text.cost, packs.cost) == (1.0, 3.5)


def test_an_output_that_belongs_to_an_input_comes_with_it(small: SmallCatalog) -> None:
    small.step("a/b", PORTS)
    text, packs = actions(small)
    assert [output.name for output in text.outputs] == ["checkpoint_hf"]
    assert [output.name for output in packs.outputs] == ["checkpoint_hf", "scores"]


def test_constants_and_carried_facts_are_told(small: SmallCatalog) -> None:
    small.step("a/b", PORTS)
    text, _ = actions(small)
    assert text.ports[0].constants == {"record": "text"}
    assert text.outputs[0].carried == {"tokenizer": (1, "tokenizer")}


def test_of_trainers_only_those_of_the_library_are_left(small: SmallCatalog) -> None:
    trainer = '[[produces]]\ntype = "scores"\nat = "out"\n[parallelism]\nrules = "fsdp2"\n'
    small.step("a/one", trainer, head='library = "automodel"')
    small.step("a/two", trainer, head='library = "megatron_bridge"')
    small.step("a/three", '[[produces]]\ntype = "scores"\nat = "out"\n', head='library = "automodel"')
    found = [action.step for action in actions(small, library="megatron_bridge")]
    assert sorted(found) == ["a/three", "a/two"]
