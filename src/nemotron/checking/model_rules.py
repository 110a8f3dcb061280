"""Does the model fit on the GPUs? What the manifest knows of the models that it lists. Reads config.json."""

from __future__ import annotations

from collections.abc import Iterator

from nemotron.catalog.manifest import Model
from nemotron.diagnostic import Diagnostic, warning
from nemotron.hardware.shapes import shape_of
from nemotron.planning.request import BoundInput, Source, StepRequest


def model_fits_on_the_gpus(request: StepRequest) -> Iterator[Diagnostic]:
    """No fewer GPUs than a listed model needs; a warning, as larger GPUs or other settings do with fewer."""
    if request.gpus == 0 and not request.step.manifest.takes_all_gpus:
        return
    told: set[str] = set()
    for bound in request.inputs:
        model = _listed(request, bound, bound.sources[0])
        if model is None or request.gpus >= model.minimum_gpus or model.name in told:
            continue
        told.add(model.name)
        needed = f"{model.minimum_gpus} GPU{'s' * (model.minimum_gpus > 1)}"
        yield warning(
            "NMT502",
            f"{model.name} takes at least {needed} in {request.step.id}, and gets {request.gpus or 'none'}",
            detail=model.description,
            where=request.config.document.place(bound.sources[0].key),
            fix=f"--gpus {model.minimum_gpus}, or a smaller model: {bound.port.at}=MODEL",
        )


def _listed(request: StepRequest, bound: BoundInput, source: Source) -> Model | None:
    """The model of the manifest that a source is: by its name, else by its shape."""
    if not bound.port.type.startswith("checkpoint_"):
        return None
    name = source.promise.shaped_like if source.promise else source.hub or (str(source.path or ""))
    models = request.step.manifest.models
    if not name or not models:
        return None
    by_name = next((m for m in models if name.lower() in (m.name.lower(), *map(str.lower, m.aliases))), None)
    shape = shape_of(name) if by_name is None else None
    if shape is None or not shape.is_known:
        return by_name
    return next((model for model in models if shape.is_like(shape_of(model.name))), None)
