"""What a step will make, known before it runs: the type and facts of each output. Reads what facts read."""

from __future__ import annotations

import os
from collections.abc import Iterator

from nemotron.artifacts.facts import fact_from_value
from nemotron.artifacts.record import FactValue
from nemotron.catalog.manifest import FactRule, Produces
from nemotron.config.tree import MISSING, Document, split_key
from nemotron.planning.request import Promise, Promises, StepRequest


def promise(request: StepRequest, output: str) -> Promise:
    """The promise of one of the step's outputs. A fact that only the run can tell is left out."""
    port = request.step.produces(output)
    facts = {name: _known(request, name, rule) for name, rule in port.facts.items()}
    known = {name: value for name, value in facts.items() if value is not None}
    return Promise(port.type, known, _shaped_like(request, port))


def _shaped_like(request: StepRequest, port: Produces) -> str | None:
    bound = request.input(port.shape_of) if port.shape_of else None
    if bound is None:
        return None
    source = bound.sources[0]
    if source.promise is not None:
        return source.promise.shaped_like
    return source.hub or (str(source.path) if source.path else None)


def promises_of(request: StepRequest, name: str) -> Promises:
    """The promise of every output of a step, by the value that stands for it in a plan where it is `name`."""
    ports = request.step.manifest.produces
    return {stands_for(name, port): promise(request, port.name) for port in ports}


def stands_for(name: str, port: Produces) -> str:
    """The value that stands in a config for an output which is not made yet."""
    return f"step:{name}.{port.name}"


def stated_by_keys(request: StepRequest, fact: str, keys: tuple[str, ...]) -> Iterator[tuple[str, FactValue]]:
    """What config keys state of a fact: each key that states something, and the value.

    A key that only refers to another one of them says nothing of its own.
    """
    kind = request.types.facts.get(fact)
    for key in keys:
        if request.config.refers.get(split_key(key)) in keys:
            continue
        value = request.config.document.get(key)
        if kind is None or value is None or value == MISSING:
            continue
        if isinstance(value, str) and value in request.promises:
            stated = request.promises[value].facts.get(fact)
        elif isinstance(value, str) and kind.kind in ("tokenizer", "model"):
            stated = fact_from_value(kind, os.path.expanduser(value))
        else:
            stated = fact_from_value(kind, value)
        if stated is not None:
            yield key, stated


def _known(request: StepRequest, fact: str, rule: FactRule) -> FactValue | None:
    keys = rule.keys or ((rule.unless,) if rule.unless else ())
    for _, value in stated_by_keys(request, fact, keys):
        return value
    if rule.value is not None:
        return rule.value if isinstance(rule.value, int) else str(rule.value)
    if rule.from_ is None:
        return None
    port, _, name = rule.from_.partition(".")
    source = request.input(port)
    return source.fact(name) if source is not None else None


def is_made_by(port: Produces, config: Document) -> bool:
    """Whether a step with this config makes the output: `when` holds, and the key of `with_key` is set."""
    return not any(in_the_way(port, config))


def in_the_way(port: Produces, config: Document) -> Iterator[tuple[str, str]]:
    """The config keys for whose sake a step does not make an output, and what they would have to be."""
    if port.with_key is not None and config.get(port.with_key) is None:
        yield port.with_key, "VALUE"
    for key, values in port.when.items():
        if config.get(key) not in values:
            yield key, " or ".join(map(str, values))
