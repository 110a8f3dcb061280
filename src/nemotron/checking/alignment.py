"""One rule for every edge: equal facts. What inputs carry against what config keys state. Reads artifacts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nemotron.artifacts.facts import fact_from_value, is_unknown
from nemotron.artifacts.record import FactValue, record_path
from nemotron.catalog.manifest import FactRule
from nemotron.config.tree import MISSING
from nemotron.diagnostic import Diagnostic, Place, Related, error, note
from nemotron.planning.request import BoundInput, StepRequest


@dataclass(frozen=True)
class Statement:
    """A value of a fact, where it is stated, and by whom."""

    value: FactValue
    by: str
    place: Place | None


def facts_agree(request: StepRequest) -> Iterator[Diagnostic]:
    """On every input, the facts that the artifact carries equal those that the step states."""
    for bound in request.inputs:
        for name, rule in bound.port.facts.items():
            statements = [*_artifact(bound, name), *_of_keys(request, name, rule), *_same_as(request, rule)]
            yield from _compare(bound, name, statements)
            yield from _bounds(request, bound, name, rule)


def facts_are_there(request: StepRequest) -> Iterator[Diagnostic]:
    """An input that must carry a fact does, unless a config key gives it."""
    for bound in request.inputs:
        for name, rule in bound.port.facts.items():
            if rule.unless is None or _key_is_set(request, rule.unless):
                continue
            for source in bound.sources:
                if source.exists and name not in source.facts():
                    what = name.replace("_", " ")
                    yield error(
                        "NMT304",
                        f"{source.value} has no {what}",
                        detail=f"the input '{bound.port.name}' of {request.step.id} must have one",
                        where=request.config.document.place(source.key),
                        fix=f"use a checkpoint that has one, or set {rule.unless}=…",
                    )


def _compare(bound: BoundInput, name: str, statements: list[Statement]) -> Iterator[Diagnostic]:
    known = [s for s in statements if not is_unknown(s.value)]
    what = name.replace("_", " ")
    for other in known[1:]:
        if other.value != known[0].value:
            related = (Related(known[0].place, _stated(known[0])),) if known[0].place else ()
            yield error(
                "NMT301",
                f"the {what} of '{bound.port.name}' differs: {_stated(known[0])}, {_stated(other)}",
                where=other.place,
                related=related,
                fix="make the two the same",
            )
    for vague in statements:
        if is_unknown(vague.value) and any(s.value != vague.value for s in statements):
            yield note(
                "NMT305",
                f"the {what} of '{bound.port.name}' cannot be compared: "
                f"{str(vague.value).removeprefix('hub:')} is not on this machine",
                where=vague.place,
            )
            return


def _bounds(request: StepRequest, bound: BoundInput, name: str, rule: FactRule) -> Iterator[Diagnostic]:
    actual = bound.fact(name)
    comparisons: tuple[tuple[str, str | None, Callable[[int, int], bool]], ...] = (
        ("at least", rule.at_least, lambda a, b: a >= b),
        ("at most", rule.at_most, lambda a, b: a <= b),
        ("a multiple of", rule.multiple_of, lambda a, b: b != 0 and a % b == 0),
    )
    for form, key, holds in comparisons:
        wanted = request.config.document.get(key) if key else None
        if isinstance(actual, int) and isinstance(wanted, int) and not holds(actual, wanted):
            yield error(
                "NMT303",
                f"the {name.replace('_', ' ')} of '{bound.port.name}' is {actual}; "
                f"it must be {form} {key}, which is {wanted}",
                where=request.config.document.place(key or ""),
            )


def _artifact(bound: BoundInput, name: str) -> Iterator[Statement]:
    value = bound.fact(name)
    if value is not None:
        source = bound.sources[0]
        place = Place(str(record_path(source.path)), 1, 1) if source.path and source.record() else None
        yield Statement(value, source.value, place or (Place(str(source.path)) if source.path else None))


def _of_keys(request: StepRequest, name: str, rule: FactRule) -> Iterator[Statement]:
    kind = request.types.facts.get(name)
    for key in rule.keys:
        value = request.config.document.get(key)
        if kind is None or value == MISSING:
            continue
        if (
            isinstance(value, str)
            and kind.kind in ("tokenizer", "model")
            and Path(value).expanduser().exists()
        ):
            value = str(Path(value).expanduser())
        stated = fact_from_value(kind, value)
        if stated is not None:
            yield Statement(stated, key, request.config.document.place(key))


def _same_as(request: StepRequest, rule: FactRule) -> Iterator[Statement]:
    if rule.same_as is None:
        return
    port, _, fact = rule.same_as.partition(".")
    other = request.input(port)
    value = other.fact(fact) if other else None
    if other is not None and value is not None:
        yield Statement(value, other.sources[0].value, request.config.document.place(other.sources[0].key))


def _stated(statement: Statement) -> str:
    value = str(statement.value)
    short = value[:12] if len(value) == 64 else value
    return f"{statement.by} has {short}"


def _key_is_set(request: StepRequest, key: str) -> bool:
    return request.config.document.get(key) not in (None, "", MISSING)
