"""Why a plan is as it is: what decided for it, against the others, and what is missing. Pure text."""

from __future__ import annotations

from nemotron.catalog.catalog import Catalog, Step
from nemotron.diagnostic import Diagnostic, blocked, error
from nemotron.nearest import nearest
from nemotron.planning.actions import Situation, matching
from nemotron.planning.have import Have
from nemotron.planning.nodes import nodes_of
from nemotron.planning.search import Derivation

_MAKERS = 3


def steps_of(derivation: Derivation, steps: dict[str, Step]) -> list[str]:
    return [node.step for node in nodes_of(derivation, steps)]


def why(best: Derivation, steps: dict[str, Step], situation: Situation) -> list[str]:
    """The preferences that hold for the steps of the plan, in their own words."""
    return [
        f"{identity}: {prefer.why}"
        for identity in sorted(best.steps)
        for prefer in matching(steps[identity].manifest, situation)
        if prefer.cost < 0
    ]


def why_not(
    other: Derivation,
    best: Derivation,
    haves: list[Have],
    steps: dict[str, Step],
    situation: Situation,
    contradictions: list[Diagnostic] | None,
) -> str:
    """What decided against a route: a fact, something unused, a preference, or its length."""
    if contradictions:
        return contradictions[0].summary
    missing = [h.name for bit, h in enumerate(haves) if (best.uses & ~other.uses) >> bit & 1]
    if missing:
        return f"it does not use {' and '.join(missing)}"
    against = [
        prefer.why
        for identity in sorted(other.steps - best.steps)
        for prefer in matching(steps[identity].manifest, situation)
        if prefer.cost > 0
    ]
    if against:
        return against[0]
    more = len(steps_of(other, steps)) - len(steps_of(best, steps))
    return f"{more} more step{'s' * (more > 1)} for the same" if more > 0 else "it costs more, or as much"


def unused(name: str, haves: list[Have], steps: dict[str, Step]) -> Diagnostic:
    have = next(h for h in haves if h.name == name)
    takers = [s.id for s in steps.values() if any(p.type == have.type for p in s.manifest.consumes)]
    detail = (
        f"{have.type} is taken by {', '.join(sorted(takers))}" if takers else f"no step takes {have.type}"
    )
    return blocked(
        "NMT281",
        f"the plan does not use '{name}' ({have.type})",
        detail=detail,
        fix="leave it out, say what it is (--have TYPE=SOURCE), or name a step that takes it (--through)",
    )


def nothing_makes(want: str, haves: list[Have], steps: list[Step], catalog: Catalog) -> list[Diagnostic]:
    """Which artifacts are missing for the steps that make what is wanted."""
    types = catalog.types
    makers = [s for s in steps if any(types.accepts(want, p.type) for p in s.manifest.produces)]
    if not makers:
        close = [t for t in nearest(want, types.types) if t != want]
        return [error("NMT280", f"no step makes {want}", fix=f"near it: {', '.join(close)}" if close else "")]
    at_hand = {ancestor for have in haves for ancestor in types.ancestors(have.type)}
    found = []
    for maker in makers[:_MAKERS]:
        lacking = [
            p.type for p in maker.manifest.consumes if p.required and not p.one_of and p.type not in at_hand
        ]
        groups = {p.one_of for p in maker.manifest.consumes if p.one_of}
        for group in sorted(g for g in groups if g):
            ports = [p.type for p in maker.manifest.consumes if p.one_of == group]
            if not at_hand & set(ports):
                lacking.append(" or ".join(ports))
        found.append(f"{maker.id} needs {' and '.join(dict.fromkeys(lacking)) or 'what no step makes'}")
    return [
        blocked(
            "NMT280",
            f"nothing at hand leads to {want}",
            detail="; ".join(found),
            fix="add what is missing: --have TYPE=SOURCE",
        )
    ]
