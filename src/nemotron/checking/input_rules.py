"""Are the inputs there, and can they be read? Reads the first part of data files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from nemotron.artifacts.records import bad_json, bad_records, is_empty
from nemotron.config.tree import MISSING, join_key
from nemotron.diagnostic import Diagnostic, Place, Related, error
from nemotron.nearest import near_file
from nemotron.planning.request import BoundInput, Source, StepRequest, is_local_path
from nemotron.profiles.mounts import is_clusters_own

_JSONL = (".jsonl", ".ndjson")
_WILDCARDS = frozenset("*?[")
_CHECKPOINT_JSON = (
    "config.json",
    "adapter_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "model.safetensors.index.json",
)


def paths_exist(request: StepRequest) -> Iterator[Diagnostic]:
    """A path that is written in a config exists, can be read, and holds something."""
    for bound in request.inputs:
        for source in bound.sources:
            if source.path is None:
                continue
            if not source.files and is_clusters_own(source.path, request.profile):
                continue
            if not source.files:
                yield _absent(request, bound, source)
                continue
            try:
                empty = "" if any(not _is_empty(file) for file in source.files) else "is empty"
            except OSError as problem:
                yield _unreadable(request, source, problem)
                continue
            if empty:
                kind = "the folder " if source.path.is_dir() else ""
                yield error(
                    "NMT214",
                    f"{kind}{source.value} is empty",
                    where=_place(request, source),
                    detail=f"'{join_key(source.key)}' takes {bound.port.type}",
                    fix=f"give another path: {join_key(source.key)}=PATH",
                )


def records_are_usable(request: StepRequest) -> Iterator[Diagnostic]:
    """Every line of a JSONL input is JSON and has the key that its reader wants."""
    for bound in request.inputs:
        keys = _wanted_keys(request, bound)
        for source in bound.sources:
            for file in source.files:
                if file.is_file() and file.suffix in _JSONL:
                    yield from _bad_lines(request, source, file, keys)


def checkpoints_parse(request: StepRequest) -> Iterator[Diagnostic]:
    """The JSON files of a checkpoint are whole: a torn one would state no facts and fail in the job."""
    for bound in request.inputs:
        for source in bound.sources if bound.port.type.startswith("checkpoint_") else ():
            for name in _CHECKPOINT_JSON if source.exists else ():
                file = Path(str(source.path)) / name
                if file.is_file() and (bad := bad_json(file)) is not None:
                    yield error(
                        "NMT216",
                        f"{name} {bad.reason}",
                        where=Place(str(file), bad.line, bad.column),
                        related=_named_by(request, source),
                        fix="copy or download the checkpoint again",
                    )


def parameter_paths_exist(request: StepRequest) -> Iterator[Diagnostic]:
    """A path that a parameter gives exists: a folder of task files, a tokenizer."""
    outputs = {port.at for port in request.step.manifest.produces}
    inputs = {port.at for port in request.step.manifest.consumes}
    for parameter in request.step.manifest.parameters:
        if parameter.type != "path" or parameter.key in outputs | inputs:
            continue
        value = request.config.document.get(parameter.key)
        for given in value if isinstance(value, list) else [value]:
            if not is_local_path(given) or is_clusters_own(given, request.profile):
                continue
            if given not in request.promises and not os.path.exists(given):
                yield error(
                    "NMT213",
                    f"{given} does not exist",
                    detail=parameter.description,
                    where=request.config.document.place(parameter.key),
                    fix=near_file(Path(given)) or f"give another path: {parameter.key}=PATH",
                )


def _bad_lines(
    request: StepRequest, source: Source, file: Path, keys: tuple[str, ...]
) -> Iterator[Diagnostic]:
    try:
        found = bad_records(file, keys)
    except OSError:  # paths_exist says so
        return
    for bad in found:
        yield error(
            "NMT215",
            f"line {bad.line} {bad.reason}",
            where=Place(str(file), bad.line, bad.column),
            related=_named_by(request, source),
            fix="correct or remove that line",
        )


def _wanted_keys(request: StepRequest, bound: BoundInput) -> tuple[str, ...]:
    if bound.port.field_at is not None:
        field = request.config.document.get(bound.port.field_at)
        if field is not None:
            return (field,) if isinstance(field, str) and field != MISSING else ()
    return request.types.record_keys(bound.port.type) if bound.port.type in request.types else ()


def _absent(request: StepRequest, bound: BoundInput, source: Source) -> Diagnostic:
    assert source.path is not None
    key = join_key(source.key)
    detail = f"'{key}' takes {bound.port.type}: {bound.port.description}".rstrip(": ")
    is_pattern = bool(_WILDCARDS & set(source.value))
    near = "" if is_pattern else near_file(source.path)
    return error(
        "NMT213",
        f"{source.value} {'matches no file' if is_pattern else 'does not exist'}",
        detail=detail,
        where=_place(request, source),
        fix=near or f"give another path: {key}=PATH",
    )


def _unreadable(request: StepRequest, source: Source, problem: OSError) -> Diagnostic:
    return error(
        "NMT243",
        f"{source.value} cannot be read: {problem.strerror}",
        where=_place(request, source),
        fix=f"give another path: {join_key(source.key)}=PATH",
    )


def _is_empty(path: Path) -> bool:
    return not os.listdir(path) if path.is_dir() else path.is_file() and is_empty(path)


def _named_by(request: StepRequest, source: Source) -> tuple[Related, ...]:
    place = _place(request, source)
    return (Related(place, "the config that names it"),) if place else ()


def _place(request: StepRequest, source: Source) -> Place | None:
    return request.config.document.place(source.key)
