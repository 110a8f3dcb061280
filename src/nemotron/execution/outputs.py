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


def foreign_outputs(request: StepRequest, store: Store, key: str) -> list[Diagnostic]:
    """Output folders that hold something which no attempt at this request made."""
    problems = []
    for at, folder in request.named_outputs().items():
        if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
            continue
        mine = any(
            command.get("key") == key and str(folder) in command.get("outputs", {}).values()
            for _, command in store.attempts(request.step.id)
        )
        if not mine:
            problems.append(
                error(
                    "NMT704",
                    f"{folder} holds something else",
                    where=request.config.document.place(at),
                    detail="an output folder must be empty, new, or what the same request left there",
                    fix=f"name another folder ({at}=FOLDER), leave {at} out, or remove that one",
                )
            )
    return problems


def find_finished(
    request: StepRequest, store: Store, key: str, folders: dict[str, Path]
) -> list[Made] | None:
    """What an earlier run made for the same key at the same place, if all of it is still whole."""
    for attempt, command in store.attempts(request.step.id):
        if command.get("key") != key or command.get("outputs") != {k: str(v) for k, v in folders.items()}:
            continue
        result = read_json(attempt.result)
        if isinstance(result, dict) and result.get("status") == "done":
            made = [_whole(entry, key) for entry in result.get("outputs", [])]
            if made and all(made):
                return [m for m in made if m]
    return None


def clear_the_way(request: StepRequest, folders: dict[str, Path], mark: str) -> list[Path]:
    """Move aside what a dead attempt left, unless the step goes on from it. Returns where it is now."""
    moved = []
    for folder in folders.values():
        if folder.exists() and not request.step.manifest.step.resumable and any(folder.iterdir()):
            aside = folder.with_name(f"{folder.name}.unfinished-{mark[:8]}")
            os.replace(folder, aside)
            moved.append(aside)
    return moved


def record_outputs(request: StepRequest, attempt: Attempt, key: str) -> list[Made]:
    """Write artifact.json for everything that the job made. Failure NMT803 if an output is not there."""
    told = read_json(attempt.outputs)
    entries = told if isinstance(told, list) else []
    by_port = {entry["port"]: entry for entry in entries if isinstance(entry, dict) and "port" in entry}
    problems = [
        error("NMT803", f"the job made no '{port.name}'", where=Place(str(attempt.log)))
        for port in request.step.manifest.produces
        if not port.optional and (port.name not in by_port or not Path(by_port[port.name]["path"]).exists())
    ]
    if problems:
        raise Failure(problems)
    return [
        _record(request, attempt, key, port, by_port[port.name])
        for port in request.step.manifest.produces
        if port.name in by_port
    ]


def produced_facts(request: StepRequest, port: Produces, measured: dict[str, Any]) -> dict[str, FactValue]:
    """The facts of an output: from config keys, constants, inputs, and what the job measured."""
    facts: dict[str, FactValue] = {}
    for name, rule in port.facts.items():
        value = measured.get(name) if rule.measured else _stated(request, name, rule)
        if value is not None:
            facts[name] = value
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


def _record(request: StepRequest, attempt: Attempt, key: str, port: Produces, entry: dict[str, Any]) -> Made:
    path = Path(entry["path"])
    facts = {**facts_on_disk(path), **produced_facts(request, port, entry.get("facts", {}))}
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
