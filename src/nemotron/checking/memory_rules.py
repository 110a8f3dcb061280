"""Is there room on the GPUs for what a training keeps there? Reads a model's config.json, asks for GPUs."""

from __future__ import annotations

from collections.abc import Iterator

from nemotron.catalog.manifest import Memory
from nemotron.diagnostic import Diagnostic, warning
from nemotron.hardware import probe
from nemotron.hardware.gpu_table import gpu_kinds
from nemotron.hardware.memory import kept_gib
from nemotron.planning.parallel import layout_of, model_of, shape_for
from nemotron.planning.request import StepRequest

ROOM = 0.8  # the share of a GPU's memory that may be taken before activations


def memory_has_room(request: StepRequest) -> Iterator[Diagnostic]:
    """Weights, gradients and optimiser states leave a fifth of each GPU to activations; a warning if not."""
    kept, has = kept_by(request), gpu_memory_gib(request)
    if kept is None or has is None or kept <= ROOM * has:
        return
    parallelism = request.step.manifest.parallelism
    yield warning(
        "NMT503",
        f"weights, gradients and optimiser states take {kept:.0f} of the {has:.0f} GiB of each GPU: "
        f"{'too little is left' if kept < has else 'they do not fit'}",
        detail=_counted(request),
        where=request.config.document.place(parallelism.model or "") if parallelism else None,
        fix="more GPUs, a layout that splits the model further, an adapter, or a smaller model",
    )


def kept_by(request: StepRequest) -> float | None:
    """GiB that a training keeps on each GPU; None for what trains nothing, or a model that is not known."""
    layout, shape, memory = layout_of(request), shape_for(request), _memory_of(request)
    if layout is None or shape is None or memory is None or request.gpus < 1:
        return None
    return kept_gib(layout, shape, memory.held, memory.sharded)


def gpu_memory_gib(request: StepRequest) -> float | None:
    """The memory of one GPU that the step gets; None where nobody says what kind it is."""
    kind = request.profile.gpu if request.profile is not None else None
    found = gpu_kinds().get((kind or request.gpu or "").lower())
    if found is not None:
        return found.memory_gib
    if not request.is_local or request.gpu is not None or not (here := probe.gpus()):
        return None
    return min(gpu.memory_mib for gpu in here) / 1024


def _counted(request: StepRequest) -> str:
    shape, memory = shape_for(request), _memory_of(request)
    assert shape is not None
    assert memory is not None
    places = {"on the GPU that has it": memory.held, "spread over all GPUs": memory.sharded}
    size = " and ".join(f"{count:g} bytes {place}" for place, count in places.items() if count)
    return f"{model_of(request)} has {shape.parameters or 0:,} parameters, each of {size}"


def _memory_of(request: StepRequest) -> Memory | None:
    """The first entry of the manifest that holds for the config."""
    document = request.config.document
    tables = request.step.manifest.memory
    return next((m for m in tables if all(document.get(k) in v for k, v in m.when.items())), None)
