"""What a job made: found whole from an earlier run, or hashed and recorded in artifact.json.

Runs in the job, on the standard library. The submission says of each output which facts it states; those of
inputs that were not made yet, or lie on the cluster alone, are read here.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nemotron.artifacts.digest import RECORD_NAME
from nemotron.artifacts.facts import fact_from_value, facts_on_disk, input_digest
from nemotron.artifacts.record import (
    Artifact,
    FactValue,
    InputEntry,
    Producer,
    artifact_of,
    describe,
    is_complete,
    read_record,
    record_file,
    record_path,
    write_record,
)
from nemotron.execution.slurm.in_job_files import JobFiles, NotReady, diagnostic, filled, upstream
from nemotron.execution.store import RECORDS, read_json

# What evaluations leave, and reports read.
SCORES = "results.json"
_SMALL = 4 << 20


@dataclass(frozen=True)
class Kind:
    """How a fact's value is read: integer, name, tokenizer, chat_template or model."""

    kind: str


def finished(files: JobFiles) -> list[dict[str, Any]] | None:
    """The outputs, where a run of the same key left every one of them whole."""
    told = files.told
    if not told["may_be_taken_again"] or told["is_forced"]:
        return None
    records = [
        (path, record)
        for folder in map(Path, told["outputs"].values())
        for path, record in _records_below(folder)
        if record.producer.key == told["key"] and is_complete(path, record)
    ]
    ports = {record.port for _, record in records}
    if not records or any(port["name"] not in ports for port in told["produces"] if not port["optional"]):
        return None
    return [_entry(files, path, record) for path, record in records]


def _records_below(folder: Path) -> Iterable[tuple[Path, Artifact]]:
    for file in sorted(folder.rglob(f"*{RECORD_NAME}")):
        path = artifact_of(file)
        if (record := read_record(path)) is not None:
            yield path, record


def record(files: JobFiles) -> list[dict[str, Any]]:
    """Write artifact.json for everything that the job told of. NotReady NMT802, NMT803."""
    told = read_json(files.folder / "outputs.json")
    log = files.folder / "log"
    if not isinstance(told, list):
        raise NotReady(diagnostic("NMT802", "the job ended without saying what it made", file=log))
    made = {entry["port"]: entry for entry in told if isinstance(entry, dict) and "port" in entry}
    inputs = _inputs(files)
    entries = []
    for port in filled(files.told["produces"], upstream(files)):
        path = files.folder / str(made[port["name"]]["path"]) if port["name"] in made else None
        if path is None or not path.exists():
            if not port["optional"]:
                raise NotReady(diagnostic("NMT803", f"the job made no '{port['name']}'", file=log))
            continue
        measured = made[port["name"]].get("facts") or {}
        written = describe(
            path,
            kind=port["type"],
            port=port["name"],
            facts={**facts_on_disk(path), **_facts(port, measured, inputs)},
            producer=Producer(
                step=files.told["step"],
                version=files.told["version"],
                run=files.run.name,
                attempt=files.folder.name,
                key=files.told["key"],
            ),
            inputs=inputs,
        )
        write_record(path, written)
        entries.append(_entry(files, path, written))
    return entries


def _inputs(files: JobFiles) -> list[InputEntry]:
    """What the job was given: digests that the submission did not know are computed here."""
    made = upstream(files)
    entries = []
    for told in files.told["inputs"]:
        path = made.get(told["path"], told["path"])
        there = path.startswith("/") and Path(path).exists()
        digest = told["digest"] or (input_digest(Path(path)) if there else path)
        entries.append(InputEntry(port=told["port"], type=told["type"], digest=digest, path=path))
    return entries


def _facts(port: dict[str, Any], measured: dict[str, Any], inputs: list[InputEntry]) -> dict[str, FactValue]:
    """The facts of one output, each from the job or else the first of its sources that states it."""
    facts: dict[str, FactValue] = {}
    for name, sources in port["facts"].items():
        for source in ({"measured": True}, *sources):
            value = _stated(name, source, measured, inputs)
            if value is not None:
                facts[name] = value if isinstance(value, int) else str(value)
                break
    return facts


def _stated(name: str, source: dict[str, Any], measured: dict[str, Any], inputs: list[InputEntry]) -> Any:
    match source:
        case {"measured": True}:
            return measured.get(name)
        case {"input": port, "fact": fact}:
            values = {facts_on_disk(Path(entry.path)).get(fact) for entry in inputs if entry.port == port}
            values.discard(None)
            return values.pop() if len(values) == 1 else None
        case {"config": value, "kind": kind}:
            return fact_from_value(Kind(kind), value)
        case _:
            return source.get("value")


def _entry(files: JobFiles, path: Path, record: Artifact) -> dict[str, Any]:
    """An output as result.json lists it; copies of its record, and of scores, come home with the attempt."""
    records = files.folder / RECORDS
    records.mkdir(exist_ok=True)
    shutil.copyfile(record_file(path) or record_path(path), records / f"{record.port}.json")
    scores = path / SCORES
    if scores.is_file() and scores.stat().st_size < _SMALL:
        (records / record.port).mkdir(exist_ok=True)
        shutil.copyfile(scores, records / record.port / SCORES)
    return {"port": record.port, "path": str(path), "digest": record.digest}
