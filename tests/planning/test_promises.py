"""What a step will make, before it has run."""

from __future__ import annotations

from pathlib import Path

import pytest
from small import SmallCatalog, checkpoint, codes, the

from nemotron.checking.check import check_step
from nemotron.diagnostic import Diagnostic
from nemotron.planning.promises import promise, stands_for
from nemotron.planning.request import StepRequest
from nemotron.planning.resolve import Wish, resolve

PACKER = """
    [[consumes]]
    name = "base"
    type = "checkpoint_hf"
    at = "base"
    [[produces]]
    type = "packs"
    at = "output"
    [produces.facts]
    tokenizer = "tokenizer"
    pack_size = "size"
    pad_multiple = { value = 8 }
    chat_template = { from = "base.chat_template", unless = "template" }
    record = { measured = true }
"""
TRAINER = """
    [[consumes]]
    type = "packs"
    at = "data"
    facts = { pack_size = "size", tokenizer = "tokenizer" }
"""


@pytest.fixture
def steps(small: SmallCatalog, project: Path) -> SmallCatalog:
    small.step(
        "prep/pack",
        PACKER,
        default="base: base\noutput: null\ntokenizer: base\nsize: 64\ntemplate: null\n",
    )
    small.step("train/one", TRAINER, default="data: ???\nsize: 64\ntokenizer: base\n")
    small.step("train/follows", TRAINER, default="data: ???\nsize: 64\ntokenizer: ${data}\n")
    checkpoint(project / "base")
    return small


def trained_on(steps: SmallCatalog, packer: StepRequest, step: str = "train/one") -> list[Diagnostic]:
    port = packer.step.produces("packs")
    value = stands_for("pack", port)
    request = resolve(
        Wish(step), steps.catalog(), bound={"data": value}, promises={value: promise(packer, "packs")}
    )
    return check_step(request)


def test_facts_are_known_from_keys_constants_and_inputs(steps: SmallCatalog) -> None:
    packer = steps.request("prep/pack")
    base = packer.input("base")
    assert base is not None
    made = promise(packer, "packs")
    assert made.type == "packs"
    assert made.facts == {
        "tokenizer": base.fact("tokenizer"),
        "pack_size": 64,
        "pad_multiple": 8,
        "chat_template": base.fact("chat_template"),
    }


def test_a_key_wins_over_what_an_input_carries(steps: SmallCatalog) -> None:
    plain = promise(steps.request("prep/pack"), "packs")
    own = promise(steps.request("prep/pack", "template=own words"), "packs")
    assert own.facts["chat_template"] != plain.facts["chat_template"]


def test_a_promised_input_is_checked_like_one_that_is_there(steps: SmallCatalog) -> None:
    assert trained_on(steps, steps.request("prep/pack")) == []
    problem = the(trained_on(steps, steps.request("prep/pack", "size=32")), "NMT301")
    assert problem.summary == "the pack size of 'packs' differs: step:pack.packs has 32, size has 64"
    assert problem.fix == "size=32"


def test_a_key_that_refers_to_a_promised_input_states_its_fact(steps: SmallCatalog) -> None:
    assert trained_on(steps, steps.request("prep/pack"), "train/follows") == []


def test_a_promise_of_another_type_is_refused(steps: SmallCatalog) -> None:
    steps.step("prep/scores", '[[produces]]\ntype = "scores"\nat = "output"\n', default="output: null\n")
    scores = steps.request("prep/scores")
    value = stands_for("s", scores.step.produces("scores"))
    request = resolve(
        Wish("train/one"),
        steps.catalog(),
        bound={"data": value},
        promises={value: promise(scores, "scores")},
    )
    assert codes(check_step(request)) == ["NMT302"]
