"""Why a plan is as it is: what decided for it, against the others, and what is missing. Pure text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nemotron.catalog.catalog import Catalog, Step
from nemotron.catalog.manifest import Consumes
from nemotron.catalog.types import Types
from nemotron.diagnostic import Diagnostic, blocked, error
from nemotron.nearest import nearest
from nemotron.planning.actions import Situation, matching
from nemotron.planning.have import Have, facts_of
from nemotron.planning.nodes import nodes_of
from nemotron.planning.problem import Derivation

if TYPE_CHECKING:
    from nemotron.planning.plan import PlanWish

_MAKERS, _NEAR = 8, 3


def steps_of(derivation: Derivation, steps: dict[str, Step]) -> list[str]:
    return [node.step for node in nodes_of(derivation, steps)]


def why(best: Derivation, steps: dict[str, Step], situation: Situation) -> list[str]:
    """The preferences that hold for the steps of the plan, and the inputs that it makes do with."""
    preferred = [
        f"{identity}: {prefer.why}"
        for identity in sorted(best.steps)
        for prefer in matching(steps[identity].manifest, situation)
        if prefer.cost < 0
    ]
    return preferred + [f"{step} reads {words}" for step, words in _dearer_inputs(best, steps)]


def why_not(
    other: Derivation,
    best: Derivation,
    wish: PlanWish,
    steps: dict[str, Step],
    situation: Situation,
    contradictions: list[Diagnostic] | None,
) -> str:
    """What decided against a route: a fact, something unused, a preference, a dearer input, or its length."""
    if contradictions:
        return contradictions[0].summary
    lacks = best.uses & ~other.uses
    missing = [have.name for bit, have in enumerate(wish.haves) if lacks >> bit & 1]
    if missing:
        return f"it does not use {' and '.join(missing)}"
    avoided = [step for bit, step in enumerate(wish.through, len(wish.haves)) if lacks >> bit & 1]
    if avoided:
        return f"it does not go through {' and '.join(avoided)}"
    against = [
        prefer.why
        for identity in sorted(other.steps - best.steps)
        for prefer in matching(steps[identity].manifest, situation)
        if prefer.cost > 0
    ]
    if against:
        return against[0]
    for step, words in _dearer_inputs(other, steps):
        return f"{step} would read {words}"
    more = len(steps_of(other, steps)) - len(steps_of(best, steps))
    return f"{more} more step{'s' * (more > 1)} for the same" if more > 0 else "it costs more, or as much"


def _dearer_inputs(route: Derivation, steps: dict[str, Step]) -> list[tuple[str, str]]:
    """The steps of a route that take an input for want of a better one of its group, and that input."""
    return [
        (node.step, f"{port.name} as it is: {port.description}")
        for node in nodes_of(route, steps)
        for port in steps[node.step].manifest.consumes
        if port.name in node.inputs and port.one_of and port.cost > 0
    ]


def unused(have: Have, steps: dict[str, Step], types: Types) -> Diagnostic:
    ports = {step.id: step.manifest.consumes for step in steps.values()}
    takers = [step for step in ports if any(types.accepts(p.type, have.type) for p in ports[step])]
    detail = (
        f"{have.type} is taken by {', '.join(sorted(takers))}" if takers else f"no step takes {have.type}"
    )
    return blocked(
        "NMT281",
        f"the plan does not use '{have.name}' ({have.type})",
        detail=detail,
        fix="leave it out, say what it is (--have TYPE=SOURCE), or name a step that takes it (--through)",
    )


def not_gone_through(step: Step) -> Diagnostic:
    """A step that was asked for, and that no plan with what is at hand leads through to what is wanted."""
    ports = step.manifest.consumes
    needs = [_needed(port) for port in ports if port.required and not port.one_of]
    for group in dict.fromkeys(port.one_of for port in ports if port.one_of):
        needs.append(" or ".join(_needed(port) for port in ports if port.one_of == group))
    made = sorted({port.type for port in step.manifest.produces})
    return blocked(
        "NMT281",
        f"no plan goes through {step.id}",
        detail=f"it takes {', '.join(needs) or 'nothing'}; it makes {', '.join(made)}",
        fix=f"give what it takes (--have NAME:TYPE=SOURCE), or leave out --through {step.id}",
    )


def _needed(port: Consumes) -> str:
    apart = f"{port.type} of its own, at hand" if port.apart else port.type
    return apart if port.name == port.type else f"{port.name} ({apart})"


def nothing_makes(want: str, haves: list[Have], steps: list[Step], catalog: Catalog) -> list[Diagnostic]:
    """Which artifacts are missing for the steps that make what is wanted."""
    types = catalog.types
    makers = [s for s in steps if any(want in types.ancestors(p.type) for p in s.manifest.produces)]
    if not makers:
        made = {port.type for step in steps for port in step.manifest.produces}
        close = nearest(want, sorted(made), count=_NEAR) or _of_the_same_words(want, made)
        told = f"near it: {', '.join(close)}" if close else f"steps make: {', '.join(sorted(made))}"
        return [error("NMT280", f"no step makes {want}", fix=told)]
    lacking = {maker.id: _lacking(maker, haves, types) for maker in makers}
    least = min(len(inputs) for inputs in lacking.values())
    near = [name for name in sorted(lacking) if len(lacking[name]) == least]
    found = [f"{name} needs {' and '.join(lacking[name])}" for name in near[:_MAKERS]]
    return [
        blocked(
            "NMT285",
            f"nothing at hand leads to {want}",
            detail="; ".join(found),
            fix="add what is missing: --have TYPE=SOURCE",
        )
    ]


def _lacking(maker: Step, haves: list[Have], types: Types) -> list[str]:
    """The inputs of a step that nothing at hand goes to; where each has something, all: one is not enough."""
    inputs = maker.manifest.consumes
    groups = [[port] for port in inputs if port.required and not port.one_of]
    for name in dict.fromkeys(port.one_of for port in inputs if port.one_of):
        groups.append([port for port in inputs if port.one_of == name])
    missing = [g for g in groups if not any(_is_at_hand(port, haves, types) for port in g)]
    if not missing:
        return [_needed(port) for group in groups for port in group[:1]]
    told = (" or ".join(_described(port, haves, types) for port in group) for group in missing)
    return list(dict.fromkeys(told))


def _is_at_hand(port: Consumes, haves: list[Have], types: Types) -> bool:
    """Whether a have goes there by its type and by what is known of it."""
    constants = {fact: rule.value for fact, rule in port.facts.items() if rule.value is not None}
    return any(
        types.accepts(port.type, have.type)
        and all(facts_of(have).get(fact, value) == value for fact, value in constants.items())
        for have in haves
    )


def _described(port: Consumes, haves: list[Have], types: Types) -> str:
    """The type that a port takes, and of which records where a have of the type has others."""
    record = port.facts.get("record")
    is_other = record is not None and any(types.accepts(port.type, have.type) for have in haves)
    return f"{port.type} of {record.value}" if record is not None and is_other else port.type


def _of_the_same_words(want: str, made: set[str]) -> list[str]:
    """The types that share a word of their names with the wanted one, those with most words first."""
    words = set(want.split("_"))
    shared = {kind: len(words & set(kind.split("_"))) for kind in made}
    return sorted((kind for kind in made if shared[kind]), key=lambda kind: (-shared[kind], kind))[:_NEAR]
