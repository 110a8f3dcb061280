"""Is the config what the step reads? Missing and unknown keys, types, choices, limits, ports. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from nemotron.catalog.manifest import Consumes, Parameter
from nemotron.checking.known_keys import KnownKeys, Problem
from nemotron.checking.value_types import an, has_type
from nemotron.config.tree import MISSING, Document, KeyPath, join_key, leaves, split_key
from nemotron.diagnostic import Diagnostic, blocked, error, note, warning
from nemotron.nearest import did_you_mean
from nemotron.planning.request import StepRequest


def missing_values(request: StepRequest) -> Iterator[Diagnostic]:
    """`???` that is left, and required parameters without a value."""
    document = request.config.document
    described = {p.key: p.description for p in request.step.manifest.parameters}
    described |= {p.at: p.description for p in request.step.manifest.consumes}
    for path, value in leaves(document.tree):
        key = join_key(path)
        if value == MISSING and path not in request.config.following:
            yield blocked(
                "NMT208",
                f"'{key}' needs a value",
                detail=described.get(key, ""),
                where=document.place(path),
                fix=f"add {key}=VALUE",
            )
    for parameter in request.step.manifest.parameters:
        if parameter.required and document.get(parameter.key) is None:
            yield blocked(
                "NMT208",
                f"'{parameter.key}' needs a value",
                detail=parameter.description,
                where=document.place(parameter.key) if document.has(parameter.key) else None,
                fix=f"add {parameter.key}=VALUE",
            )


def unknown_keys(request: StepRequest) -> Iterator[Diagnostic]:
    """Keys that nothing reads: an error, or a warning where the reader takes further ones."""
    document = request.config.document
    library = request.library
    for found in KnownKeys.of_step(request.step).findings(document.tree):
        key, where = join_key(found.path), document.place(found.path)
        instead = " or ".join(f"'{name}'" for name in found.instead)
        fix = f"did you mean {instead}?" if instead else ""
        match found.problem:
            case Problem.UNKNOWN if found.because:
                summary = f"'{key}' may not be given with {found.because}"
                yield error("NMT204", summary, where=where, fix=f"~{key} takes it out")
            case Problem.UNKNOWN:
                fix = fix or f"known here: {', '.join(sorted(found.known)[:12])}"
                yield error("NMT204", f"unknown key '{key}'", where=where, fix=fix)
            case Problem.SLIP:
                yield warning("NMT221", f"'{key}' is not a key that is known here", where=where, fix=fix)
            case Problem.TARGET:
                yield warning(
                    "NMT221", f"{library} has no '{document.get(found.path)}'", where=where, fix=fix
                )
            case Problem.TYPE:
                summary = f"'{key}' must be {an(found.wanted)}, not {_shown(document.get(found.path))}"
                yield error("NMT220", summary, where=where)
            case Problem.UNREAD:
                fix = f"set {instead} in its place" if instead else "it may be left out"
                yield note("NMT226", f"the recipe does not read '{key}'", where=where, fix=fix)


def parameter_limits(request: StepRequest) -> Iterator[Diagnostic]:
    """Types, choices and limits that the manifest states."""
    document = request.config.document
    for parameter in request.step.manifest.parameters:
        value = document.get(parameter.key)
        if value is None or value == MISSING or (isinstance(value, str) and "${" in value):
            continue
        if (problem := limit_problem(parameter, value)) is not None:
            code, summary, fix = problem
            yield error(code, f"'{parameter.key}' {summary}", where=document.place(parameter.key), fix=fix)
            continue
        other = document.get(parameter.less_than) if parameter.less_than else None
        if isinstance(other, int | float) and value >= other:
            yield error(
                "NMT224",
                f"'{parameter.key}' must be less than {parameter.less_than}, which is {other}; it is {value}",
                where=document.place(parameter.key),
                fix=f"lower {parameter.key}, or raise {parameter.less_than}",
            )


def names_are_known(request: StepRequest) -> Iterator[Diagnostic]:
    """A key that takes names of a list, benchmarks say, has no other, unless a further key brings more."""
    document = request.config.document
    for parameter in request.step.manifest.parameters:
        more = document.get(parameter.names_unless) if parameter.names_unless else None
        value = document.get(parameter.key)
        if parameter.names is None or more or not value or value == MISSING:
            continue
        known = request.step.names_in(parameter.names)
        for name in value if isinstance(value, list) else [value]:
            if not isinstance(name, str) or "${" in name or name in known:
                continue
            own = f"{parameter.names_unless}=[FOLDER] for your own" if parameter.names_unless else ""
            yield error(
                "NMT223",
                f"'{parameter.key}' names '{name}', which is not known",
                detail=f"{parameter.names} of {request.step.id} lists the {len(known):,} names that are",
                where=document.place(parameter.key),
                fix=" ".join(filter(None, [did_you_mean(name, known), own])),
            )


def bound_ports(request: StepRequest) -> Iterator[Diagnostic]:
    """Every required input is given, and of each group of alternatives exactly one."""
    bound = {b.port.name for b in request.inputs}
    groups: dict[str, list[Consumes]] = {}
    for port in request.step.manifest.consumes:
        value = request.config.document.get(port.at)
        if value is not None and not isinstance(value, str | list | dict):
            summary = f"'{port.at}' must be a path, not {json.dumps(value, default=str)}"
            yield error("NMT220", summary, where=request.config.document.place(port.at))
        elif port.one_of:
            groups.setdefault(port.one_of, []).append(port)
        elif port.required and port.name not in bound and request.config.document.get(port.at) != MISSING:
            yield blocked(
                "NMT208",
                f"the input '{port.name}' ({port.type}) is not given",
                detail=port.description,
                where=request.config.document.place(port.at),
                fix=f"add {port.at}=PATH",
            )
    for name, ports in groups.items():
        given = [p for p in ports if p.name in bound]
        keys = " or ".join(p.at for p in ports)
        if len(given) > 1:
            yield error(
                "NMT222",
                f"exactly one of {keys} may be given, not {len(given)}",
                where=request.config.document.place(given[1].at),
                fix=f"set {given[1].at}=null",
            )
        elif not given and not any(request.config.document.get(p.at) == MISSING for p in ports):
            yield blocked("NMT208", f"one of {keys} is needed ({name})", fix=f"add {ports[0].at}=PATH")


def inputs_are_weighed(request: StepRequest) -> Iterator[Diagnostic]:
    """Of a list of inputs each has a path, and all have a weight above 0 or none has one."""
    document = request.config.document
    for port in (port for port in request.step.manifest.consumes if port.many):
        value, at = document.get(port.at), split_key(port.at)
        entries = [((*at, n), e) for n, e in enumerate(value)] if isinstance(value, list) else [(at, value)]
        for key, entry in entries:
            if isinstance(entry, dict):
                yield from _problems_of_entry(document, key, entry)
        bare = [key for key, entry in entries if not isinstance(entry, dict) or entry.get("weight") is None]
        if 0 < len(bare) < len(entries):
            yield error(
                "NMT240",
                f"some inputs of {port.at} have a weight and others have none",
                where=document.place(bare[0]),
                fix="weigh all of them, or none",
            )


def _problems_of_entry(document: Document, key: KeyPath, entry: dict[str, Any]) -> Iterator[Diagnostic]:
    if not isinstance(entry.get("path"), str):
        summary = f"'{join_key(key)}' has no path"
        fix = f"{join_key((*key, 'path'))}=PATH"
        yield error("NMT240", summary, where=document.place(key), fix=fix)
    weight = entry.get("weight")
    if weight is not None and not (has_type(weight, "number") and 0 < weight < float("inf")):
        yield error(
            "NMT240",
            f"a weight is a number above 0, not {_shown(weight)}",
            where=document.place((*key, "weight")),
            fix="below 1 the share that is taken, above 1 how often each is trained on; or leave it out",
        )


def limit_problem(parameter: Parameter, value: Any) -> tuple[str, str, str] | None:
    """Code, what is wrong, and the fix of a value that the parameter does not take."""
    as_list = parameter.type == "path" and isinstance(value, list)
    if not has_type(value, "list" if as_list else parameter.type):
        return "NMT220", f"must be {an(parameter.type)}, not {_shown(value)}", ""
    for item in value if isinstance(value, list) else [value]:
        if parameter.choices and item not in parameter.choices:
            choices = ", ".join(str(choice) for choice in parameter.choices)
            hint = did_you_mean(str(item), [str(c) for c in parameter.choices])
            return "NMT223", f"must be one of {choices}, not {item!r}", hint or "choose one of them"
        if isinstance(item, int | float) and (outside := _outside(parameter, item)):
            return "NMT224", outside, ""
    return None


def _outside(parameter: Parameter, value: float) -> str:
    """What is wrong with a number; NaN is within no limits."""
    low, high = parameter.minimum, parameter.maximum
    if low is not None and not value >= low:
        return f"must be at least {low:g}, not {value}"
    if high is not None and not value <= high:
        return f"must be at most {high:g}, not {value}"
    return ""


def _shown(value: Any) -> str:
    return json.dumps(value, default=str)
