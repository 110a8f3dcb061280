"""Where an artifact came from: its record, and the chain of inputs back to the sources. Reads records."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from nemotron.artifacts.digest import RECORD_NAME
from nemotron.artifacts.facts import input_digest
from nemotron.artifacts.record import Artifact, InputEntry, artifact_of, is_complete, read_record, record_file
from nemotron.diagnostic import Diagnostic, Failure, error
from nemotron.nearest import near_file

GONE = "it is not there any more"
CHANGED = "it has changed since"
SOURCE = "a source: no step made it"
SERVICE = "a service, or a name on a hub"
AGAIN = "shown above"


@dataclass(frozen=True)
class Ancestor:
    """An artifact in a chain, or a source at its end; `port` is the input that it was bound to."""

    path: str
    type: str
    port: str = ""
    record: Artifact | None = None
    note: str = ""
    inputs: list[Ancestor] = field(default_factory=list)


def lineage(path: Path) -> Ancestor:
    """An artifact with everything that it was made from. Failure NMT811 where it has no record."""
    path = artifact_of(Path(os.path.abspath(path.expanduser())))
    record = read_record(path)
    if record is None:
        raise Failure(_no_record(path))
    note = "" if is_complete(path, record) else "files are missing, or have another size"
    seen = {str(record_file(path))}
    return Ancestor(str(path), record.type, "", record, note, _inputs(record, seen))


def _inputs(record: Artifact, seen: set[str]) -> list[Ancestor]:
    return [_ancestor(entry, seen) for entry in record.inputs]


def _ancestor(entry: InputEntry, seen: set[str]) -> Ancestor:
    if not os.path.isabs(entry.path):
        return Ancestor(entry.path, entry.type, entry.port, note=SERVICE)
    path = Path(entry.path)
    record = read_record(path)
    if record is None:
        there = path.exists() or any(char in entry.path for char in "*?[")
        return Ancestor(entry.path, entry.type, entry.port, note=SOURCE if there else f"{SOURCE}; {GONE}")
    note = "" if input_digest(path) == entry.digest else CHANGED
    file = str(record_file(path))
    if file in seen:
        return Ancestor(entry.path, record.type, entry.port, record, note or AGAIN)
    seen.add(file)
    return Ancestor(entry.path, record.type, entry.port, record, note, _inputs(record, seen))


def _no_record(path: Path) -> Diagnostic:
    if not path.exists():
        return error("NMT811", f"{path} does not exist", fix=near_file(path))
    below = sorted(file.parent for file in path.glob(f"*/{RECORD_NAME}")) if path.is_dir() else []
    fix = f"one of those in it: {', '.join(folder.name for folder in below[:5])}" if below else ""
    return error("NMT811", f"{path} has no artifact.json: no step made it, or it is not finished", fix=fix)
