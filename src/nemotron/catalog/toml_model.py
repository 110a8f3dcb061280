"""A TOML file as a pydantic model, every mistake in it with its place. Reads one file, nothing else."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, TypeVar, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from nemotron.catalog.toml_places import find_place, syntax_place
from nemotron.catalog.toml_quick import quick_toml
from nemotron.diagnostic import Diagnostic, Failure, Place, error
from nemotron.nearest import did_you_mean

M = TypeVar("M", bound=BaseModel)


def read_toml(file: Path, model: type[M]) -> M:
    """Parse `file` into `model`; Failure NMT101 (not TOML), NMT102 (unknown key), NMT103 (value)."""
    data = parse_toml(file)
    try:
        return model.model_validate(data)
    except ValidationError as problem:
        raise Failure(problems_of(problem, file, model)) from problem


def parse_toml(file: Path, code: str = "NMT101") -> dict[str, Any]:
    """The tables of a file; Failure `code` where it cannot be read or is not TOML."""
    try:
        text = file.read_text(encoding="utf-8")
        return quick_toml(text) or tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise Failure(
            error(code, f"{file.name} is not TOML: {problem}", where=syntax_place(file, str(problem)))
        ) from problem
    except UnicodeDecodeError as problem:
        where = Place(str(file), problem.object.count(b"\n", 0, problem.start) + 1, 1)
        summary = f"{file.name} is not UTF-8 text: {problem.reason}"
        raise Failure(error(code, summary, where=where)) from problem
    except OSError as problem:
        summary = f"{file.name} cannot be read: {problem.strerror}"
        raise Failure(error(code, summary, where=Place(str(file)))) from problem


def problems_of(
    problem: ValidationError,
    file: Path,
    model: type[BaseModel],
    *,
    table: tuple[str, ...] = (),
    codes: tuple[str, str] = ("NMT102", "NMT103"),
) -> list[Diagnostic]:
    """What pydantic found, each with its place; `table` is where in the file the model's keys stand.

    The codes are those of an unknown key, and of a wrong or missing value.
    """
    return [_diagnostic(file, model, detail, table, codes) for detail in problem.errors()]


def _diagnostic(
    file: Path, model: type[BaseModel], detail: ErrorDetails, table: tuple[str, ...], codes: tuple[str, str]
) -> Diagnostic:
    path = detail["loc"]
    where = find_place(file, (*table, *path))
    unknown, wrong = codes
    dotted = ".".join(str(part) for part in path)
    if detail["type"] == "extra_forbidden":
        known = _keys_at(model, path[:-1])
        hint = did_you_mean(str(path[-1]), known)
        return error(
            unknown,
            f"unknown key '{dotted}'",
            where=where,
            fix=hint or f"known here: {', '.join(sorted(known))}",
        )
    if detail["type"] == "missing":
        return error(wrong, f"'{dotted}' is missing", where=where, fix=f"add {path[-1]} = …")
    message = detail["msg"].removeprefix("Value error, ")
    return error(wrong, f"{dotted or file.name}: {message}", where=where)


def _keys_at(model: Any, path: tuple[str | int, ...]) -> list[str]:
    """The keys that the table at `path` may have, as they are written in TOML."""
    named = False  # whether the next part names an entry of a table of tables
    for part in path:
        if isinstance(part, int) or named:
            named = False
            continue
        field = next((f for n, f in model.model_fields.items() if part in (n, f.alias)), None)
        inner = _model_in(field.annotation) if field is not None else None
        if field is None or inner is None:
            return []
        model, named = inner, get_origin(field.annotation) is dict
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        if (found := _model_in(argument)) is not None:
            return found
    return None
