"""The steps as the search sees them: ports, outputs and what a use of each costs in a situation. Pure."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

from nemotron.catalog.catalog import Step
from nemotron.catalog.manifest import Condition, Consumes, Facts, Manifest, Prefer
from nemotron.planning.problem import Action, Output, Port

_COMPARISON = re.compile(r"\s*(<=|>=|<|>|==|=)?\s*(\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)\s*")
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "==": operator.eq,
}
# A use of a step always costs something, or a plan could grow for nothing.
_LEAST_COST = 0.1


@dataclass(frozen=True)
class Situation:
    """What the preferences look at. None is what nobody said; a condition on it does not match.

    `gpu_memory_gib` is of one GPU; `model_parameters` is a count.
    """

    want: str
    gpus: int | None = None
    nodes: int | None = None
    gpu_memory_gib: float | None = None
    model_parameters: float | None = None
    library: str | None = None


def actions_of(steps: Iterable[Step], situation: Situation) -> Iterator[Action]:
    """Every way of using each step. Of trainers only those of the library that was asked for, if one was."""
    for step in steps:
        manifest = step.manifest
        is_trainer = manifest.parallelism is not None
        if situation.library and is_trainer and manifest.step.library != situation.library:
            continue
        cost = 1.0 + sum(prefer.cost for prefer in matching(manifest, situation))
        for choice in _choices(manifest):
            ports = [p for p in manifest.consumes if p.one_of is None or p in choice]
            names = [port.name for port in ports]
            made = [p for p in manifest.produces if p.with_input is None or p.with_input in names]
            total = cost + sum(port.cost for port in choice)
            yield Action(
                step.id,
                max(_LEAST_COST, total),
                tuple(_port(p, names) for p in ports),
                tuple(Output(p.name, p.type, _constants(p.facts), _carried(p.facts, names)) for p in made),
            )


def matching(manifest: Manifest, situation: Situation) -> list[Prefer]:
    """The preferences of a step that hold in a situation."""
    return [prefer for prefer in manifest.prefer if holds(prefer.if_, situation)]


def holds(condition: Condition, situation: Situation) -> bool:
    """Whether every given field of a condition matches."""
    return all(_matches(wanted, getattr(situation, name)) for name, wanted in condition if wanted is not None)


def _matches(wanted: Any, actual: Any) -> bool:
    if actual is None:
        return False
    if not isinstance(wanted, str) or isinstance(actual, str):
        return bool(wanted == actual)
    found = comparison(wanted)
    return found is not None and found[0](actual, found[1])


def comparison(text: str) -> tuple[Callable[[float, float], bool], float] | None:
    """A condition on a number (`<=4`, `>7e10`, `8`) as its operator and its limit; None where it is none."""
    found = _COMPARISON.fullmatch(text)
    return (_OPERATORS[found[1] or "="], float(found[2])) if found else None


def _choices(manifest: Manifest) -> Iterator[tuple[Consumes, ...]]:
    """One port of each group of alternatives."""
    groups: dict[str, list[Consumes]] = {}
    for port in manifest.consumes:
        if port.one_of is not None:
            groups.setdefault(port.one_of, []).append(port)
    yield from product(*groups.values())


def _port(port: Consumes, names: list[str]) -> Port:
    is_optional = port.one_of is None and not port.required
    same = _elsewhere(((fact, rule.same_as) for fact, rule in port.facts.items()), names)
    return Port(port.name, port.type, is_optional, port.apart, _constants(port.facts), same)


def _carried(facts: Facts, ports: list[str]) -> dict[str, tuple[int, str]]:
    """The facts that an output takes over from an input that is bound."""
    return _elsewhere(((name, rule.from_) for name, rule in facts.items()), ports)


def _elsewhere(references: Iterable[tuple[str, str | None]], ports: list[str]) -> dict[str, tuple[int, str]]:
    """Fact → the position of the port that its reference PORT.FACT names, and the fact there."""
    named = {fact: reference.partition(".")[::2] for fact, reference in references if reference}
    return {fact: (ports.index(port), source) for fact, (port, source) in named.items() if port in ports}


def _constants(facts: Facts) -> dict[str, Any]:
    return {name: rule.value for name, rule in facts.items() if rule.value is not None}
