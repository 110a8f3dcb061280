"""Does the parallel layout fit the GPUs, the model, the batch and the data?

Reads a model's config.json and the records of packed data. The rules are in `nemotron.hardware`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from nemotron.artifacts.record import record_file
from nemotron.catalog.manifest import Parallelism
from nemotron.config.tree import MISSING
from nemotron.diagnostic import Diagnostic, Place, Related, error, note, warning
from nemotron.hardware.layout import Layout
from nemotron.hardware.layout_rules import Violation, violations
from nemotron.hardware.legal_layouts import differences, nearest_legal, nearest_worlds
from nemotron.hardware.shapes import ModelShape
from nemotron.planning.parallel import FLAGS, is_size, keys_of, layout_of, model_of, shape_for
from nemotron.planning.request import StepRequest

_SKIPPED = "heads, layers, widths, experts and vocabulary"


def sizes_are_sizes(request: StepRequest) -> Iterator[Diagnostic]:
    """Each size of the layout is a whole number from 1, each flag a boolean. Parameters say so themselves."""
    parallelism = request.step.manifest.parallelism
    stated = {parameter.key for parameter in request.step.manifest.parameters}
    for name, key in keys_of(parallelism).items() if parallelism else ():
        value = request.config.document.get(key)
        if value is None or value == MISSING or key in stated:
            continue
        is_right = isinstance(value, bool) if name in FLAGS else is_size(value)
        if not is_right and not (isinstance(value, str) and "${" in value):
            wanted = "true or false" if name in FLAGS else "a whole number from 1"
            yield error(
                "NMT220",
                f"'{key}' must be {wanted}, not {json.dumps(value, default=str)}",
                where=request.config.document.place(key),
            )


def layout_is_legal(request: StepRequest) -> Iterator[Diagnostic]:
    """Every rule of the trainer's kind; the fix of each names the nearest layouts that keep all of them."""
    layout, parallelism = layout_of(request), request.step.manifest.parallelism
    if layout is None or parallelism is None:
        return
    shape = shape_for(request) or ModelShape()
    broken = violations(parallelism.rules, layout, shape)
    if not broken:
        return
    keys = keys_of(parallelism)
    fix = _proposals(parallelism, layout, shape, keys)
    for violation in broken:
        yield error(
            violation.code,
            violation.summary,
            where=_where(request, violation, keys),
            related=_others(request, violation, keys),
            fix=fix,
        )


def model_shape_is_known(request: StepRequest) -> Iterator[Diagnostic]:
    """A note where the rules about the model's own sizes had to be skipped."""
    model, parallelism = model_of(request), request.step.manifest.parallelism
    if model is None or parallelism is None or shape_for(request) is not None:
        return
    yield note(
        "NMT431",
        f"the shape of {model} is not known, so its {_SKIPPED} were not checked against the layout",
        where=request.config.document.place(parallelism.model or ""),
        fix=f"give a local folder with the model's config.json: {parallelism.model}=FOLDER",
    )


def gpus_are_spread_evenly(request: StepRequest) -> Iterator[Diagnostic]:
    """Every node has the same number of GPUs, and tensor parallel ranks share a node."""
    layout, parallelism = layout_of(request), request.step.manifest.parallelism
    if layout is None or parallelism is None or request.nodes <= 1:
        return
    if request.gpus % request.nodes:
        yield error(
            "NMT429",
            f"{request.gpus} GPUs cannot be spread evenly over {request.nodes} nodes",
            where=request.config.document.place("run.nodes"),
            fix=f"--gpus {max(1, request.gpus // request.nodes) * request.nodes}",
        )
        return
    per_node = request.gpus // request.nodes
    if per_node and layout.tensor > per_node:
        key = parallelism.tensor or ""
        yield warning(
            "NMT430",
            f"tensor parallel {layout.tensor} spans nodes of {per_node} GPUs",
            detail="its ranks exchange activations in every layer: without a fast link between the nodes, "
            "training waits for them",
            where=request.config.document.place(key),
            fix=f"{key}={per_node}, and more pipeline or data parallel",
        )


def packs_fit_the_layout(request: StepRequest) -> Iterator[Diagnostic]:
    """Packed data were padded for a layout: to a multiple of what this one needs."""
    layout, parallelism = layout_of(request), request.step.manifest.parallelism
    if layout is None or parallelism is None or layout.pad_multiple == 1:
        return
    for bound in request.inputs:
        for source in bound.sources:
            padded = bound.fact_of(source, "pad_multiple")
            if not isinstance(padded, int) or padded % layout.pad_multiple == 0:
                continue
            file = record_file(source.path) if source.path else None
            key = (parallelism.context if layout.context > 1 else parallelism.sequence_parallel) or ""
            yield error(
                "NMT428",
                f"{source.value} is padded to multiples of {padded}; this layout needs {layout.pad_multiple}",
                detail="lcm(2·CP if CP > 1, CP·TP with sequence parallelism)",
                where=request.config.document.place(key),
                related=(Related(Place(str(file), 1, 1), "its record"),) if file else (),
                fix=f"pack again with pad_multiple={layout.pad_multiple}",
            )


def _proposals(parallelism: Parallelism, layout: Layout, shape: ModelShape, keys: dict[str, str]) -> str:
    """The nearest legal layouts as arguments of the command line, the nearest first."""
    legal = nearest_legal(parallelism.rules, layout, shape, keys.keys())
    offers = [
        " ".join(f"{keys[name]}={json.dumps(new)}" for name, _, new in differences(layout, each))
        for each in legal
    ]
    offers += [
        f"--gpus {world}"
        for world in nearest_worlds(layout)
        if not violations(parallelism.rules, replace(layout, world=world), shape)
    ]
    if not offers:
        return "no layout near this one is legal on these GPUs: choose the sizes anew"
    return offers[0] if len(offers) == 1 else "one of: " + " | ".join(offers)


def _matters(request: StepRequest, key: str, *, first: bool) -> bool:
    """Whether a key is worth showing: the one at fault, and the others where they set a size."""
    document = request.config.document
    return document.has(key) and (first or document.get(key) not in (None, 1))


def _where(request: StepRequest, violation: Violation, keys: dict[str, str]) -> Place | None:
    """The key at fault, else the first of the others that the config states."""
    return next(iter(_places(request, violation, keys).values()), None)


def _others(request: StepRequest, violation: Violation, keys: dict[str, str]) -> tuple[Related, ...]:
    places = _places(request, violation, keys)
    return tuple(Related(place, f"{key} stands here") for key, place in list(places.items())[1:])


def _places(request: StepRequest, violation: Violation, keys: dict[str, str]) -> dict[str, Place]:
    found: dict[str, Place] = {}
    for name in violation.fields:
        key = "run.gpus" if name == "world" else keys.get(name)
        if key is None or (
            key != "run.gpus" and not _matters(request, key, first=name == violation.fields[0])
        ):
            continue
        place = request.config.document.place(key)
        if place is not None:
            found[key] = place
    return found
