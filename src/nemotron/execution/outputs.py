"""Where outputs go, whether they are finished, and recording them. Moves dead attempts' leavings aside."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nemotron.artifacts.facts import fact_from_value, facts_on_disk
from nemotron.artifacts.record import (
    Artifact,
    FactValue,
    InputEntry,
    Producer,
    describe,
    is_complete,
    read_record,
    write_record,
)
from nemotron.catalog.manifest import FactRule, Produces
from nemotron.config.tree import MISSING
from nemotron.diagnostic import Diagnostic, Failure, Place, error
from nemotron.execution.asides import move_aside
from nemotron.execution.store import Attempt, Store, read_json
from nemotron.planning.request import StepRequest


@dataclass(frozen=True)
class Made:
    """An artifact that a run made, or found finished: its port, its place, its record."""

    port: str
    path: Path
    record: Artifact


def place_outputs(request: StepRequest, store: Store, key: str) -> dict[str, Path]:
    """Config key → absolute output folder; sets those that nobody named. Returns them all."""
    named = request.named_outputs()
    ats = list(dict.fromkeys(port.at for port in request.step.manifest.produces))
    folder = store.artifact_folder(request.step.id, key)
    for at in ats:
        if at not in named:
            named[at] = folder if len(ats) == 1 else folder / at.rsplit(".", 1)[-1]
            request.config.document.set(at, str(named[at]), Place(argument=f"{at} (chosen by nemotron)"))
    return named


def foreign_outputs(request: StepRequest, named: dict[str, Path], store: Store, key: str) -> list[Diagnostic]:
    """Output folders that cannot be, or hold what was not left there by the last attempt at this request."""
    problems = []
    for at, folder in named.items():
        place = request.config.document.place(at)
        fix = f"name another folder ({at}=FOLDER), leave {at} out, or remove that one"
        if (obstacle := _obstacle(folder)) is not None:
            problems.append(
                error("NMT704", f"{folder} cannot be: {obstacle} is no folder", where=place, fix=fix)
            )
        elif folder.exists() and any(folder.iterdir()) and _last_key(store, folder) != key:
            detail = "an output folder must be empty, new, or what the same request left there"
            summary = f"{folder} holds something else"
            problems.append(error("NMT704", summary, detail=detail, where=place, fix=fix))
    return problems


def _obstacle(folder: Path) -> Path | None:
    """What is in the place of the folder, or of one above it, and is none: a file, a link to nowhere."""
    nearest = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    return None if nearest.is_dir() else nearest


def _last_key(store: Store, folder: Path) -> str | None:
    """The key of the newest attempt, at any step, that wrote into a folder."""
    for _, command in store.attempts():
        if str(folder) in command.get("outputs", {}).values():
            key = command.get("key")
            return key if isinstance(key, str) else None
    return None


def may_be_taken_again(request: StepRequest) -> bool:
    """Whether the key stands for the inputs; not where one is a service, whose answers may have changed."""
    return all(request.types[bound.port.type].on_disk for bound in request.inputs)


def find_finished(
    request: StepRequest, store: Store, key: str, folders: dict[str, Path]
) -> list[Made] | None:
    """What an earlier run made for the same key at the same place, if all of it is still whole."""
    if not may_be_taken_again(request):
        return None
    for attempt, command in store.attempts(request.step.id):
        if command.get("key") != key or command.get("outputs") != {k: str(v) for k, v in folders.items()}:
            continue
        result = read_json(attempt.result)
        if isinstance(result, dict) and result.get("status") == "done":
            made = [_whole(entry, key) for entry in result.get("outputs", [])]
            if made and all(made):
                return [m for m in made if m]
    return None


def clear_the_way(
    request: StepRequest, folders: dict[str, Path], mark: str, *, is_forced: bool = False
) -> list[Path]:
    """Move aside what is in the output folders, unless the step goes on from it. Returns where it is now.

    A step that is forced does not go on from what is there.
    """
    if request.step.manifest.step.resumable and not is_forced:
        return []
    moved = [move_aside(folder, mark[:8], is_forced=is_forced) for folder in folders.values()]
    return [aside for aside in moved if aside is not None]


def record_outputs(request: StepRequest, attempt: Attempt, key: str) -> list[Made]:
    """Write artifact.json for everything that the job made. Failure NMT803 if an output is not there."""
    told = _told(attempt)
    problems = [
        error("NMT803", f"the job made no '{port.name}'", where=Place(str(attempt.log)))
        for port in request.step.manifest.produces
        if not port.optional and (port.name not in told or not told[port.name][0].exists())
    ]
    if problems:
        raise Failure(problems)
    return [
        _record(request, attempt, key, port, *told[port.name])
        for port in request.step.manifest.produces
        if port.name in told and told[port.name][0].exists()
    ]


def has_told(attempt: Attempt) -> bool:
    """Whether the job came to its end and said what it made."""
    return isinstance(read_json(attempt.outputs), list)


def _told(attempt: Attempt) -> dict[str, tuple[Path, dict[str, Any]]]:
    """Port → path and measured facts, from outputs.json; entries of another form are left out."""
    found = {}
    for entry in read_json(attempt.outputs) or []:
        match entry:
            case {"port": str(port), "path": str(path)}:
                facts = entry.get("facts")
                found[port] = (attempt.folder / path, facts if isinstance(facts, dict) else {})
    return found


def produced_facts(request: StepRequest, port: Produces, measured: dict[str, Any]) -> dict[str, FactValue]:
    """The facts of an output: what the job measured, else from config keys, constants and inputs."""
    facts: dict[str, FactValue] = {}
    for name, rule in port.facts.items():
        value = measured[name] if name in measured else _stated(request, name, rule)
        if value is not None:
            facts[name] = value if isinstance(value, int) else str(value)
    return facts


def _stated(request: StepRequest, name: str, rule: FactRule) -> FactValue | None:
    if rule.value is not None:
        return rule.value if isinstance(rule.value, int) else str(rule.value)
    for key in (*rule.keys, *([rule.unless] if rule.unless else [])):
        value = request.config.document.get(key)
        kind = request.types.facts.get(name)
        if kind is not None and value not in (None, "", MISSING):
            return fact_from_value(kind, value)
    if rule.from_ is not None:
        port, _, fact = rule.from_.partition(".")
        bound = request.input(port)
        return bound.fact(fact) if bound else None
    return None


def _record(
    request: StepRequest, attempt: Attempt, key: str, port: Produces, path: Path, measured: dict[str, Any]
) -> Made:
    facts = {**facts_on_disk(path), **produced_facts(request, port, measured)}
    manifest = request.step.manifest.step
    producer = Producer(
        step=manifest.id, version=manifest.version, run=attempt.run_id, attempt=attempt.name, key=key
    )
    inputs = [
        InputEntry(port=b.port.name, type=b.port.type, digest=s.digest(), path=str(s.path or s.value))
        for b in request.inputs
        for s in b.sources
    ]
    record = describe(path, kind=port.type, port=port.name, facts=facts, producer=producer, inputs=inputs)
    write_record(path, record)
    return Made(port.name, path, record)


def _whole(entry: Any, key: str) -> Made | None:
    path = Path(str(entry.get("path"))) if isinstance(entry, dict) else None
    record = read_record(path) if path is not None and path.exists() else None
    if path is None or record is None or record.producer.key != key or not is_complete(path, record):
        return None
    return Made(record.port, path, record)
