"""One rule for every edge: equal facts. What inputs carry against what config keys state. Reads artifacts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from nemotron.artifacts.facts import is_unknown
from nemotron.artifacts.record import FactValue, record_file
from nemotron.catalog.manifest import FactRule
from nemotron.config.tree import MISSING
from nemotron.diagnostic import Diagnostic, Place, Related, error, note
from nemotron.planning.promises import stated_by_keys
from nemotron.planning.request import BoundInput, Source, StepRequest

_DIGEST_LENGTH = 64


@dataclass(frozen=True)
class Statement:
    """A value of a fact, where it is stated, and by whom: who takes it as a constant takes nothing else.

    `key` is the config key that states it, and `written` how a key would state the same.
    """

    value: FactValue
    by: str
    place: Place | None
    verb: str = "has"
    key: str | None = None
    written: str | None = None

    def __str__(self) -> str:
        value = str(self.value)
        return f"{self.by} {self.verb} {value[:12] if len(value) == 64 else value}"


def facts_agree(request: StepRequest) -> Iterator[Diagnostic]:
    """On every input, the facts that the artifact carries equal those that the step states."""
    for bound in request.inputs:
        for name, rule in bound.port.facts.items():
            statements = [
                *_artifacts(bound, name),
                *_constant(request, bound, rule),
                *_of_keys(request, name, rule),
                *_same_as(request, rule),
            ]
            yield from _compare(bound.port.name, name, statements)
            yield from _bounds(request, bound, name, rule)
    for port in request.step.manifest.produces:
        for name, rule in port.facts.items():
            yield from _compare(port.name, name, list(_of_keys(request, name, rule)))


def types_fit(request: StepRequest) -> Iterator[Diagnostic]:
    """What a step made goes only where its type is taken, or where the user takes it for a special case."""
    types = request.types
    for bound in request.inputs:
        wanted = bound.port.type
        for source in bound.sources:
            made = source.promise or source.record()
            if made is None or not {made.type, wanted} <= set(types.types):
                continue
            if types.accepts(wanted, made.type) or types.accepts(made.type, wanted):
                continue
            converter = types[made.type].convert_to.get(wanted)
            yield error(
                "NMT302",
                f"{source.value} is {made.type}, and '{bound.port.name}' takes {wanted}",
                where=request.config.document.place(source.key),
                related=(Related(Place(str(record_file(source.path)), 1, 1), "its record"),)
                if source.path
                else (),
                fix=f"convert it first: nemotron steps run {converter}"
                if converter
                else f"give an artifact of type {wanted}",
            )


def facts_are_there(request: StepRequest) -> Iterator[Diagnostic]:
    """An input that must carry a fact does, unless a config key gives it."""
    for bound in request.inputs:
        for name, rule in bound.port.facts.items():
            if rule.unless is None or _key_is_set(request, rule.unless):
                continue
            for source in bound.sources:
                if (source.exists or source.promise) and name not in source.facts():
                    what = name.replace("_", " ")
                    yield error(
                        "NMT304",
                        f"{source.value} has no {what}",
                        detail=f"the input '{bound.port.name}' of {request.step.id} must have one",
                        where=request.config.document.place(source.key),
                        fix=f"use a checkpoint that has one, or set {rule.unless}=…",
                    )


def _compare(port: str, name: str, statements: list[Statement]) -> Iterator[Diagnostic]:
    known = [s for s in statements if not is_unknown(s.value)]
    what = name.replace("_", " ")
    for other in known[1:]:
        if other.value != known[0].value:
            related = (Related(known[0].place, str(known[0])),) if known[0].place else ()
            yield error(
                "NMT301",
                f"the {what} of '{port}' differs: {known[0]}, {other}",
                where=other.place,
                related=related,
                fix=_agreement(known[0], other, what),
            )
    for vague in statements:
        if is_unknown(vague.value) and any(s.value != vague.value for s in statements):
            yield note(
                "NMT305",
                f"the {what} of '{port}' cannot be compared: "
                f"{str(vague.value).removeprefix('hub:')} is not on this machine",
                where=vague.place,
            )
            return


def _agreement(first: Statement, other: Statement, what: str) -> str:
    """The edit that makes two statements one: a key is set to what the other side says, where one can."""
    for changed, kept in ((other, first), (first, other)):
        if changed.key is not None and kept.written is not None:
            return f"{changed.key}={kept.written}"
    if other.verb == "takes":
        return f"give one whose {what} is {other.value}"
    return f"give inputs that have the same {what}"


def _bounds(request: StepRequest, bound: BoundInput, name: str, rule: FactRule) -> Iterator[Diagnostic]:
    comparisons: tuple[tuple[str, str | None, Callable[[int, int], bool]], ...] = (
        ("at least", rule.at_least, lambda a, b: a >= b),
        ("at most", rule.at_most, lambda a, b: a <= b),
        ("a multiple of", rule.multiple_of, lambda a, b: b != 0 and a % b == 0),
    )
    for form, key, holds in comparisons:
        wanted = request.config.document.get(key) if key else None
        if key is None or not isinstance(wanted, int):
            continue
        for source in bound.sources:
            actual = bound.fact_of(source, name)
            if isinstance(actual, int) and not holds(actual, wanted):
                yield error(
                    "NMT303",
                    f"the {name.replace('_', ' ')} of '{bound.port.name}' is {actual}; "
                    f"it must be {form} {key}, which is {wanted}",
                    where=request.config.document.place(key),
                    fix=f"change {key}, or give another {bound.port.name}",
                )


def _artifacts(bound: BoundInput, name: str) -> Iterator[Statement]:
    for source in bound.sources:
        value = bound.fact_of(source, name)
        if value is not None:
            file = record_file(source.path) if source.path else None
            place = Place(str(file), 1, 1) if file else Place(str(source.path)) if source.path else None
            yield Statement(value, source.value, place, written=_written(source, value))


def _written(source: Source, value: FactValue) -> str | None:
    """How a config key would state the same: a digest by the checkpoint that has it."""
    if not (isinstance(value, str) and len(value) == _DIGEST_LENGTH):
        return source.hub or str(value)
    return source.value if source.path and (source.path / "config.json").is_file() else None


def _constant(request: StepRequest, bound: BoundInput, rule: FactRule) -> Iterator[Statement]:
    if rule.value is not None:
        value = rule.value if isinstance(rule.value, int) else str(rule.value)
        where = request.config.document.place(bound.sources[0].key)
        yield Statement(value, request.step.id, where, verb="takes")


def _of_keys(request: StepRequest, name: str, rule: FactRule) -> Iterator[Statement]:
    for key, stated in stated_by_keys(request, name, rule.keys):
        written = str(request.config.document.get(key))
        yield Statement(stated, key, request.config.document.place(key), key=key, written=written)


def _same_as(request: StepRequest, rule: FactRule) -> Iterator[Statement]:
    if rule.same_as is None:
        return
    port, _, fact = rule.same_as.partition(".")
    other = request.input(port)
    value = other.fact(fact) if other else None
    if other is not None and value is not None:
        source = other.sources[0]
        yield Statement(value, source.value, request.config.document.place(source.key))


def _key_is_set(request: StepRequest, key: str) -> bool:
    return request.config.document.get(key) not in (None, "", MISSING)
