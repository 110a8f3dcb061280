"""`artifact.json`: what an artifact is, what is known about it, who made it. Reads and writes that file."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from nemotron.artifacts.digest import RECORD_NAME, artifact_files, content_digest, file_sha256
from nemotron.files import write_atomic

FactValue = str | int


class Record(BaseModel):
    """A part of artifact.json; unknown keys of a later version are kept out, not refused."""

    model_config = ConfigDict(frozen=True)


class FileEntry(Record):
    """One file: its path relative to the artifact, its size in bytes, its sha256."""

    path: str
    size: int
    sha256: str


class Producer(Record):
    """The step, run and attempt that made the artifact, and the key of its request."""

    step: str
    version: int
    run: str
    attempt: str
    key: str


class InputEntry(Record):
    """An artifact that this one was made from."""

    port: str
    type: str
    digest: str
    path: str


class Artifact(Record):
    """A whole artifact.json."""

    version: int = 1
    type: str
    port: str
    facts: dict[str, FactValue]
    digest: str
    files: tuple[FileEntry, ...]
    producer: Producer
    inputs: tuple[InputEntry, ...] = ()
    created: str


def record_path(artifact: Path) -> Path:
    """Where the record of an artifact lies: in its folder, or beside a single file."""
    if artifact.is_file():
        return artifact.with_name(f"{artifact.name}.{RECORD_NAME}")
    return artifact / RECORD_NAME


def describe(
    path: Path,
    *,
    kind: str,
    port: str,
    facts: dict[str, FactValue],
    producer: Producer,
    inputs: list[InputEntry],
) -> Artifact:
    """Hash an artifact's files and make its record."""
    base = path.parent if path.is_file() else path
    files = tuple(
        FileEntry(path=p.relative_to(base).as_posix(), size=p.stat().st_size, sha256=file_sha256(p))
        for p in artifact_files(path)
    )
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return Artifact(
        type=kind,
        port=port,
        facts=facts,
        digest=content_digest(path),
        files=files,
        producer=producer,
        inputs=tuple(inputs),
        created=created,
    )


def write_record(artifact: Path, record: Artifact) -> Path:
    """Write the record whole or not at all."""
    file = record_path(artifact)
    write_atomic(file, record.model_dump_json(indent=1) + "\n")
    return file


def read_record(artifact: Path) -> Artifact | None:
    """The record of an artifact, or of the artifact folder that lists a file.

    None if there is none; a torn or foreign file is no record.
    """
    found = _find(artifact)
    return found[1] if found else None


def record_file(artifact: Path) -> Path | None:
    """The file that `read_record` reads."""
    found = _find(artifact)
    return found[0] if found else None


def is_complete(artifact: Path, record: Artifact, *, verify: bool = False) -> bool:
    """Whether every file of the record is there with its size (and, with `verify`, its sha256)."""
    base = artifact.parent if artifact.is_file() else artifact
    for entry in record.files:
        file = base / entry.path
        if not file.is_file() or file.stat().st_size != entry.size:
            return False
        if verify and file_sha256(file) != entry.sha256:
            return False
    return True


def _find(artifact: Path) -> tuple[Path, Artifact] | None:
    own = record_path(artifact)
    if (record := _read(own)) is not None:
        return own, record
    around = artifact.parent / RECORD_NAME
    record = _read(around) if artifact.is_file() else None
    listed = record is not None and any(entry.path == artifact.name for entry in record.files)
    return (around, record) if record is not None and listed else None


def _read(file: Path) -> Artifact | None:
    try:
        return Artifact.model_validate(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError):
        return None


def as_json(record: Artifact) -> dict[str, Any]:
    return record.model_dump(mode="json")
