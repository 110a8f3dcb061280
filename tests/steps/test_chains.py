"""The shipped catalog: every step is whole as data, and the defaults of steps that chain agree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import pytest

from nemotron.catalog.catalog import Catalog, Step, default_catalog
from nemotron.catalog.manifest import Consumes, Produces
from nemotron.checking import library_parts, surroundings
from nemotron.checking.check import RULES, check_step
from nemotron.config.secrets import looks_secret
from nemotron.config.tree import MISSING, join_key, leaves
from nemotron.diagnostic import Diagnostic, Severity
from nemotron.planning.promises import promise, stands_for
from nemotron.planning.request import StepRequest
from nemotron.planning.resolve import Wish, resolve

IDS = [
    "byob/mcq",
    "convert/hf_to_megatron",
    "convert/megatron_to_hf",
    "convert/merge_lora",
    "curate/nemo_curator",
    "data_prep/pretrain_prep",
    "data_prep/rl_prep",
    "data_prep/sft_packing",
    "env/env_toml",
    "eval/model_eval",
    "optimize/modelopt/distill",
    "optimize/modelopt/prune",
    "optimize/modelopt/quantize",
    "peft/automodel",
    "peft/megatron_bridge",
    "pretrain/automodel",
    "pretrain/megatron_bridge",
    "rl/nemo_rl/dpo",
    "rl/nemo_rl/rlhf",
    "rl/nemo_rl/rlvr",
    "sdg/data_designer",
    "sft/automodel",
    "sft/megatron_bridge",
    "translate/nemo_curator",
]
CONFIGS = {
    "byob/mcq": {"translate"},
    "convert/hf_to_megatron": {"nano3", "super3"},
    "convert/megatron_to_hf": {"nano3", "super3"},
    "env/env_toml": {"dgxcloud", "lepton", "slurm"},
    "eval/model_eval": {"tiny_chat"},
    "optimize/modelopt/quantize": {"fp8", "nvfp4"},
    "peft/megatron_bridge": {"nano3", "super3"},
    "pretrain/megatron_bridge": {"nano3", "super3"},
    "rl/nemo_rl/rlvr": {"nemo_gym"},
    "sdg/data_designer": {"customer_support_tools", "rl_pref"},
    "sft/megatron_bridge": {"nano3", "super3"},
}
WITHOUT_TINY = {"env/env_toml"}
# What a trainer, a packer or a preparer must agree on with the others, where its config states it.
OF_THE_MACHINE = {
    rule for module in (surroundings, library_parts) for rule in vars(module).values() if rule in RULES
}


@cache
def catalog() -> Catalog:
    return default_catalog()


@cache
def steps() -> dict[str, Step]:
    found, problems = catalog().steps()
    assert problems == []
    return {step.id: step for step in found}


@dataclass(frozen=True)
class Edge:
    """An output of one step and an input of another that takes its type."""

    producer: str
    output: str
    consumer: str
    port: str

    def __str__(self) -> str:
        return f"{self.producer}.{self.output} -> {self.consumer}.{self.port}"


def edges() -> Iterator[Edge]:
    types = catalog().types
    for maker in steps().values():
        for output in maker.manifest.produces:
            for taker in steps().values():
                for port in taker.manifest.consumes:
                    if types.accepts(port.type, output.type) and _may_meet(output, port):
                        yield Edge(maker.id, output.name, taker.id, port.name)


def _may_meet(output: Produces, port: Consumes) -> bool:
    """Constants tell splits and kinds of records apart: a training split is no validation split."""
    return all(
        rule.value is None or output.facts[fact].value in (None, rule.value)
        for fact, rule in port.facts.items()
        if fact in output.facts
    )


def problems_of(request: StepRequest) -> list[Diagnostic]:
    """What the checker says of everything but this machine."""
    of_the_machine = {d for rule in OF_THE_MACHINE for d in rule(request)}
    return [d for d in check_step(request) if d not in of_the_machine]


def serious(diagnostics: list[Diagnostic]) -> list[str]:
    """Everything but notes, and but values that the user is to give."""
    return [
        f"{d.code}: {d.summary}"
        for d in diagnostics
        if d.severity is not Severity.NOTE and d.code != "NMT208"
    ]


def shipped_configs() -> list[tuple[str, str]]:
    return [(step.id, name) for step in steps().values() for name in step.config_names()]


def test_the_steps_are_those() -> None:
    assert sorted(steps()) == sorted(IDS)


@pytest.mark.parametrize("identity", IDS)
def test_a_step_is_whole_as_data(identity: str) -> None:
    step = steps()[identity]
    wanted = {"default", *CONFIGS.get(identity, ()), *(() if identity in WITHOUT_TINY else ("tiny",))}
    assert wanted <= set(step.config_names())
    assert (step.folder / "README.md").is_file()
    assert step.manifest.produces
    assert step.manifest.errors
    assert step.manifest.strategies
    assert step.manifest.step.tags


@pytest.mark.parametrize("identity", IDS)
def test_every_trainer_has_a_layout_and_models(identity: str) -> None:
    step = steps()[identity]
    if step.category in ("pretrain", "sft", "peft", "rl"):
        assert step.manifest.parallelism is not None
        assert step.manifest.models


@pytest.mark.parametrize(("identity", "config"), shipped_configs())
def test_a_shipped_config_asks_only_for_what_the_user_must_give(identity: str, config: str) -> None:
    found = problems_of(resolve(Wish(identity, config), catalog()))
    # The quick start's files are not there before it has run.
    assert [text for text in serious(found) if "output/quickstart" not in text] == []


@pytest.mark.parametrize(("identity", "config"), shipped_configs())
def test_nothing_in_a_shipped_config_looks_like_a_secret(identity: str, config: str) -> None:
    tree = resolve(Wish(identity, config), catalog()).config.tree
    assert [join_key(path) for path, value in leaves(tree) if looks_secret(join_key(path), value)] == []


@pytest.mark.parametrize("edge", list(edges()), ids=str)
def test_shipped_defaults_of_steps_that_chain_agree(edge: Edge) -> None:
    maker = resolve(Wish(edge.producer), catalog())
    taker = steps()[edge.consumer]
    value = stands_for("before", maker.step.produces(edge.output))
    request = resolve(
        Wish(edge.consumer),
        catalog(),
        bound={taker.consumes(edge.port).at: value},
        promises={value: promise(maker, edge.output)},
    )
    found = problems_of(request)
    assert serious(found) == []
    missing = {d.where for d in found if d.code == "NMT208"}
    asked = {
        request.config.document.place(path) for path, given in leaves(request.config.tree) if given == MISSING
    }
    assert {place for place in missing if place is not None} <= asked


def test_every_type_is_made_or_taken_by_a_step() -> None:
    ports = [p for s in steps().values() for p in (*s.manifest.consumes, *s.manifest.produces)]
    types = catalog().types
    used = {ancestor for port in ports for ancestor in types.ancestors(port.type)}
    assert set(types.types) <= used
