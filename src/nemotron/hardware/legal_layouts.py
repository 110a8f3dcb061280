"""The legal layouts nearest to one that breaks a rule. Pure search over a few sizes at a time."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from itertools import combinations, product
from math import log2
from typing import Any, cast

from nemotron.hardware.layout import Layout
from nemotron.hardware.layout_rules import violations
from nemotron.hardware.shapes import ModelShape

# Sizes that are chosen; the others follow from them. Those of the second line only where they are in use.
_CHOSEN = ("tensor", "pipeline", "context")
_CHOSEN_IN_USE = ("expert", "expert_tensor", "virtual_pipeline", "data_replicate")
_SWITCHES = ("sequence_parallel",)
_CHANGED_AT_ONCE = 3
_VALUES_OF_A_SIZE = 6


def nearest_legal(
    kind: str, layout: Layout, shape: ModelShape, changeable: Collection[str], count: int = 3
) -> list[Layout]:
    """Up to `count` layouts on the same GPUs that keep every rule, the least changed first.

    Only the fields in `changeable` (those that the trainer has a config key for) differ. Empty where no
    change of up to three sizes helps.
    """
    in_use = [field for field in _CHOSEN_IN_USE if getattr(layout, field) not in (None, 1)]
    values = {f: _values(kind, layout, shape, f) for f in (*_CHOSEN, *in_use) if f in changeable}
    found: dict[Layout, float] = {}
    for changes in range(_CHANGED_AT_ONCE + 1):
        for fields in combinations(values, changes):
            for chosen in product(*(values[field] for field in fields)):
                candidate = _with(layout, dict(zip(fields, chosen, strict=True)))
                if candidate.data_parallel is None:
                    continue
                settled = _settle(kind, candidate, shape, changeable)
                if settled != layout and not violations(kind, settled, shape):
                    found.setdefault(settled, _distance(layout, settled))
        if found:
            break
    return sorted(found, key=lambda legal: (found[legal], _sizes(legal)))[:count]


def nearest_worlds(layout: Layout) -> list[int]:
    """The numbers of GPUs around the given one that hold the layout as it is."""
    step = layout.smallest_world
    below = layout.world // step * step
    return [world for world in (below, below + step) if world > 0 and world != layout.world]


def _values(kind: str, layout: Layout, shape: ModelShape, field: str) -> list[int | None]:
    """The other values of a size that are legal by themselves, the nearest first."""
    current = getattr(layout, field)
    if field == "virtual_pipeline":
        return [None, *(n for n in (2, 3, 4) if n != current)]
    alone = Layout(layout.world, uneven_stages=layout.uneven_stages, sequence_parallel=True)
    legal = [
        n
        for n in range(1, layout.world + 1)
        if layout.world % n == 0
        and n != current
        and not violations(
            kind, _settle(kind, _with(alone, {field: n}), shape, (*_CHOSEN, *_SWITCHES)), shape
        )
    ]
    values: list[int | None] = list(sorted(legal, key=lambda n: abs(log2(n / current)))[:_VALUES_OF_A_SIZE])
    return [None, *values] if field == "expert_tensor" else values


def _with(layout: Layout, changes: dict[str, int | None]) -> Layout:
    return replace(layout, **cast("dict[str, Any]", changes))


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
        is_chosen = field in (*_CHOSEN, *_CHOSEN_IN_USE)
        total += 1.0 if is_chosen else 0.5
        if isinstance(before, int) and isinstance(after, int) and before > 0 and after > 0:
            total += abs(log2(after) - log2(before)) * (1.0 if is_chosen else 0.25)
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
