"""Is there room on the GPUs for what a training keeps there? Reads a model's config.json, asks for GPUs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from nemotron.catalog.manifest import Memory
from nemotron.diagnostic import Diagnostic, warning
from nemotron.hardware import probe
from nemotron.hardware.gpu_table import find_kind
from nemotron.hardware.memory import kept_gib
from nemotron.planning.parallel import layout_of, model_of, shape_for
from nemotron.planning.request import StepRequest

ROOM = 0.8  # the share of a GPU's memory that may be taken before activations


class _Estimate(NamedTuple):
    gib: float
    parameters: int
    memory: Memory


def memory_has_room(request: StepRequest) -> Iterator[Diagnostic]:
    """Weights, gradients and optimiser states leave a fifth of each GPU to activations; a warning if not."""
    found, has = _estimate(request), gpu_memory_gib(request)
    if found is None or has is None or found.gib <= ROOM * has:
        return
    parallelism = request.step.manifest.parallelism
    yield warning(
        "NMT503",
        f"weights, gradients and optimiser states take {found.gib:.0f} of the {has:.0f} GiB of each GPU: "
        f"{'too little is left' if found.gib < has else 'they do not fit'}",
        detail=f"{model_of(request)} has {found.parameters:,} parameters, each of {_bytes(found.memory)}",
        where=request.config.document.place(parallelism.model or "") if parallelism else None,
        fix="more GPUs, a layout that splits the model further, an adapter, or a smaller model",
    )


def kept_by(request: StepRequest) -> float | None:
    """GiB that a training keeps on each GPU; None for what trains nothing, or a model that is not known."""
    found = _estimate(request)
    return found.gib if found is not None else None


def gpu_memory_gib(request: StepRequest) -> float | None:
    """The memory of one GPU that the step gets; None where nobody says what kind it is."""
    kind = request.profile.gpu if request.profile is not None else None
    found = find_kind(kind or request.gpu or "")
    if found is not None:
        return found.memory_gib
    if not request.is_local or request.gpu is not None or not (here := probe.gpus()):
        return None
    return min(gpu.memory_mib for gpu in here) / 1024


def _estimate(request: StepRequest) -> _Estimate | None:
    memory = request.step.manifest.memory_with(request.config.document.get)
    layout, shape = layout_of(request), shape_for(request)
    if memory is None or layout is None or shape is None or not shape.parameters or request.gpus < 1:
        return None
    gib = kept_gib(layout, shape, memory.held, memory.sharded)
    return _Estimate(gib, shape.parameters, memory) if gib is not None else None


def _bytes(memory: Memory) -> str:
    places = {"on the GPU that has it": memory.held, "spread over all GPUs": memory.sharded}
    return " and ".join(f"{count:g} bytes {place}" for place, count in places.items() if count)
