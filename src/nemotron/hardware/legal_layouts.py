"""The legal layouts nearest to one that breaks a rule. Pure search over a few sizes at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from itertools import combinations, product
from math import log2
from typing import Any

from nemotron.hardware.layout import Layout
from nemotron.hardware.layout_rules import violations
from nemotron.hardware.shapes import ModelShape

# Sizes that are chosen; the others follow from them.
_CHOSEN = ("tensor", "pipeline", "context", "expert", "expert_tensor", "virtual_pipeline", "data_replicate")
_CHANGED_AT_ONCE = 3
_VALUES_OF_A_SIZE = 8


def nearest_legal(
    kind: str, layout: Layout, shape: ModelShape, changeable: Collection[str], count: int = 3
) -> list[Layout]:
    """Up to `count` layouts on the same GPUs that keep every rule, the least changed first.

    Only the fields in `changeable` (those that the trainer has a config key for) differ. Empty where no
    change of up to three sizes helps.
    """
    found: dict[Layout, float] = {}
    for changes in range(_CHANGED_AT_ONCE + 1):
        for fields in combinations([f for f in _CHOSEN if f in changeable], changes):
            for candidate in _candidates(layout, fields):
                settled = _settle(kind, candidate, shape, changeable)
                if settled != layout and not violations(kind, settled, shape):
                    found.setdefault(settled, _distance(layout, settled))
        if found:
            break
    return sorted(found, key=lambda legal: (found[legal], _sizes(legal)))[:count]


def nearest_worlds(layout: Layout, count: int = 2) -> list[int]:
    """The numbers of GPUs around the given one that hold the layout as it is."""
    step = layout.smallest_world
    below = layout.world // step * step
    return [world for world in (below, below + step) if world > 0 and world != layout.world][:count]


def _candidates(layout: Layout, fields: tuple[str, ...]) -> Iterator[Layout]:
    choices = [_values(layout, field) for field in fields]
    for values in product(*choices):
        changes: dict[str, Any] = dict(zip(fields, values, strict=True))
        yield replace(layout, **changes)


def _values(layout: Layout, field: str) -> list[int | None]:
    """The other values of a size that may be legal, the nearest first."""
    current = getattr(layout, field)
    divisors = [n for n in range(1, layout.world + 1) if layout.world % n == 0]
    near = sorted((n for n in divisors if n != current), key=lambda n: abs(log2(n) - log2(current or 1)))
    values: list[int | None] = list(near[:_VALUES_OF_A_SIZE])
    if field == "virtual_pipeline":
        return [None, *(n for n in (2, 3, 4) if n != current)] if current else []
    return [None, *values] if field == "expert_tensor" and current is not None else values


def _settle(kind: str, layout: Layout, shape: ModelShape, changeable: Collection[str]) -> Layout:
    """The sizes that follow from the chosen ones, set so that their rules hold where they can."""
    changes: dict[str, Any] = {}
    if kind == "megatron_core":
        if layout.tensor == 1:
            changes["sequence_parallel"] = False
        elif shape.experts:
            changes["sequence_parallel"] = True
        if layout.packed:
            changes["micro_batch"] = 1
        if layout.context > 1 and layout.fine_tuning:
            changes |= {"per_token_loss": True, "average_in_collective": False}
        if layout.virtual_pipeline and (layout.pipeline == 1 or shape.mamba_heads):
            changes["virtual_pipeline"] = None
    elif layout.data is not None:
        changes["data"] = layout.data_parallel
    part = layout.pipeline_micro_batch
    if layout.pipeline > 1 and part and layout.micro_batch and layout.micro_batch % part:
        changes["pipeline_micro_batch"] = 1
    settled = replace(layout, **{name: value for name, value in changes.items() if name in changeable})
    if "global_batch" not in changeable:
        return settled
    return replace(settled, global_batch=_nearest_batch(settled))


def _nearest_batch(layout: Layout) -> int | None:
    """The multiple of one pass over all replicas that is nearest to the global batch."""
    dp, micro, whole = layout.data_parallel, layout.micro_batch, layout.global_batch
    if dp is None or not micro or whole is None:
        return whole
    unit = micro * dp * (layout.pipeline if layout.virtual_pipeline and layout.pipeline > 1 else 1)
    return max(unit, round(whole / unit) * unit)


def _distance(layout: Layout, other: Layout) -> float:
    """How much differs: a step for each field, and how often a size was doubled or halved."""
    total = 0.0
    for field, before, after in differences(layout, other):
        total += 1.0 if field in _CHOSEN else 0.5
        if isinstance(before, int) and isinstance(after, int) and before > 0 and after > 0:
            total += abs(log2(after) - log2(before)) * (1.0 if field in _CHOSEN else 0.25)
    return total


def differences(layout: Layout, other: Layout) -> list[tuple[str, Any, Any]]:
    """The fields in which two layouts differ, with both values."""
    return [
        (name, getattr(layout, name), getattr(other, name))
        for name in layout.__dataclass_fields__
        if getattr(layout, name) != getattr(other, name)
    ]


def _sizes(layout: Layout) -> tuple[int, ...]:
    """A fixed order among layouts that are equally near."""
    return tuple(int(getattr(layout, name) or 0) for name in layout.__dataclass_fields__)
