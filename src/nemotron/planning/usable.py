"""Which steps a plan may use: what the person ruled out, named, or set a key of. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from nemotron.catalog.catalog import Step
from nemotron.catalog.types import Types
from nemotron.diagnostic import Failure, error
from nemotron.nearest import did_you_mean
from nemotron.planning.nodes import short_name

if TYPE_CHECKING:
    from nemotron.planning.plan import PlanWish


def set_and_only_named(wish: PlanWish, steps: Mapping[str, Step]) -> list[str]:
    """The steps that a plan takes only where they are asked for, and that the user sets keys of."""
    return [
        step.id
        for step in steps.values()
        if step.manifest.step.only_named and short_name(step) in wish.settings
    ]


def usable_steps(steps: Iterable[Step], wish: PlanWish, types: Types) -> list[Step]:
    """Not what was ruled out. What is taken only where it is asked for, if nothing else makes the wanted."""
    allowed = [step for step in steps if step.id not in wish.without]
    usual = [s for s in allowed if not s.manifest.step.only_named or s.id in wish.through]
    makers = [s for s in allowed if any(wish.want in types.ancestors(p.type) for p in s.manifest.produces)]
    is_made = any(step in usual for step in makers)
    return usual if is_made else [*usual, *makers]


def require_library(steps: Iterable[Step], name: str | None) -> None:
    """Failure NMT607 for a library that no step trains with."""
    known = sorted({str(s.manifest.step.library) for s in steps if s.manifest.parallelism is not None})
    if name is not None and name not in known:
        fix = f"one of: {', '.join(known)}"
        raise Failure(error("NMT607", f"no step trains with a library '{name}'", fix=fix))


def require_steps(steps: dict[str, Step], named: Iterable[str]) -> None:
    """Failure NMT110 for the name of no step."""
    for name in named:
        if name not in steps:
            fix = did_you_mean(name, steps) or "`nemotron steps list` shows them all"
            raise Failure(error("NMT110", f"there is no step '{name}'", fix=fix))
