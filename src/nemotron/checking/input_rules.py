"""Are the inputs there, and can they be read? Reads the first part of data files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nemotron.artifacts.records import bad_records, is_empty
from nemotron.config.tree import MISSING, join_key
from nemotron.diagnostic import Diagnostic, Place, Related, error
from nemotron.nearest import did_you_mean
from nemotron.planning.request import BoundInput, Source, StepRequest

_JSONL = (".jsonl", ".ndjson")


def paths_exist(request: StepRequest) -> Iterator[Diagnostic]:
    """A path that is written in a config exists, and holds something."""
    for bound in request.inputs:
        for source in bound.sources:
            if source.path is None:
                continue
            if not source.files:
                yield _absent(request, bound, source)
            elif source.path.is_file() and is_empty(source.path):
                yield error(
                    "NMT214",
                    f"{source.value} is empty",
                    where=_place(request, source),
                    detail=f"'{join_key(source.key)}' takes {bound.port.type}",
                )
            elif source.path.is_dir() and not any(source.path.iterdir()):
                yield error(
                    "NMT214",
                    f"the folder {source.value} is empty",
                    where=_place(request, source),
                    detail=f"'{join_key(source.key)}' takes {bound.port.type}",
                )


def records_are_usable(request: StepRequest) -> Iterator[Diagnostic]:
    """Every line of a JSONL input is JSON and has the key that its reader wants."""
    for bound in request.inputs:
        keys = _wanted_keys(request, bound)
        for source in bound.sources:
            for file in source.files:
                if file.is_file() and file.suffix in _JSONL:
                    yield from _bad_lines(request, source, file, keys)


def _bad_lines(
    request: StepRequest, source: Source, file: Path, keys: tuple[str, ...]
) -> Iterator[Diagnostic]:
    named_by = _place(request, source)
    related = (Related(named_by, "the config that names it"),) if named_by else ()
    for bad in bad_records(file, keys):
        yield error(
            "NMT215",
            f"line {bad.line} {bad.reason}",
            where=Place(str(file), bad.line, bad.column),
            related=related,
            fix="correct or remove that line",
        )


def _wanted_keys(request: StepRequest, bound: BoundInput) -> tuple[str, ...]:
    if bound.port.field_at is not None:
        field = request.config.document.get(bound.port.field_at)
        return (field,) if isinstance(field, str) and field != MISSING else ()
    return request.types.record_keys(bound.port.type) if bound.port.type in request.types else ()


def _absent(request: StepRequest, bound: BoundInput, source: Source) -> Diagnostic:
    assert source.path is not None
    parent = source.path.parent
    while not parent.exists():
        parent = parent.parent
    near = (
        did_you_mean(source.path.name, [p.name for p in parent.iterdir()])
        if parent == source.path.parent
        else ""
    )
    detail = f"'{join_key(source.key)}' takes {bound.port.type}: {bound.port.description}".rstrip(": ")
    return error(
        "NMT213",
        f"{source.value} does not exist",
        detail=detail,
        where=_place(request, source),
        fix=near or f"give another path: {join_key(source.key)}=PATH",
    )


def _place(request: StepRequest, source: Source) -> Place | None:
    return request.config.document.place(source.key)
