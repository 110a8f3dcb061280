"""The parallel layout that a request asks for, and the shape of its model. Reads a model's config.json."""

from __future__ import annotations

from typing import Any

from nemotron.catalog.manifest import Parallelism
from nemotron.config.tree import MISSING
from nemotron.hardware.layout import Layout
from nemotron.hardware.shapes import ModelShape, shape_of
from nemotron.planning.request import StepRequest

SIZES = (
    "data",
    "data_replicate",
    "tensor",
    "pipeline",
    "context",
    "expert",
    "expert_tensor",
    "virtual_pipeline",
    "pipeline_micro_batch",
    "micro_batch",
    "global_batch",
    "seq_length",
)
FLAGS = ("sequence_parallel", "per_token_loss", "average_in_collective")
_STAGE_LAYERS = ("first_stage_layers", "last_stage_layers", "pipeline_layout")


def keys_of(parallelism: Parallelism) -> dict[str, str]:
    """The config key of each size and flag that the trainer has: layout field → key."""
    stated = {name: getattr(parallelism, name) for name in (*SIZES, *FLAGS)}
    return {name: key for name, key in stated.items() if key is not None}


def layout_of(request: StepRequest) -> Layout | None:
    """The layout of the request; None for a step without one. A value that is no size is left out."""
    parallelism = request.step.manifest.parallelism
    if parallelism is None:
        return None
    sizes: dict[str, Any] = {}
    for name, key in keys_of(parallelism).items():
        value = request.config.document.get(key)
        if name in FLAGS:
            if isinstance(value, bool):
                sizes[name] = value
        elif is_size(value):
            sizes[name] = value
    return Layout(
        world=max(request.nodes, request.gpus),
        nodes=request.nodes,
        uneven_stages=any(_is_set(request, getattr(parallelism, name)) for name in _STAGE_LAYERS),
        packed=_is_set(request, parallelism.packed),
        fine_tuning=parallelism.fine_tuning,
        **sizes,
    )


def model_of(request: StepRequest) -> str | None:
    """The model whose shape the layout must fit, as the config names it; None where nothing is named yet."""
    parallelism = request.step.manifest.parallelism
    key = parallelism.model if parallelism else None
    value = request.config.document.get(key) if key else None
    return value if isinstance(value, str) and value not in ("", MISSING) else None


def shape_for(request: StepRequest) -> ModelShape | None:
    """The shape of the request's model; None where it is not named, or not known."""
    model = model_of(request)
    if model in request.promises:
        model = request.promises[model].shaped_like
    return shape_of(model) if model is not None else None


def is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_set(request: StepRequest, key: str | None) -> bool:
    return key is not None and request.config.document.get(key) is not None
