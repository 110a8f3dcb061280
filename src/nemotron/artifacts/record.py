"""`artifact.json`: what an artifact is, what is known about it, who made it. Reads and writes that file.

Standard library only: a job on a cluster writes its records itself, under the library's Python.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_type_hints

from nemotron.artifacts.digest import RECORD_NAME, artifact_files, content_digest, file_sha256
from nemotron.files import write_atomic

FactValue = str | int


@dataclass(frozen=True)
class FileEntry:
    """One file: its path relative to the artifact, its size in bytes, its sha256."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Producer:
    """The step, run and attempt that made the artifact, and the key of its request."""

    step: str
    version: int
    run: str
    attempt: str
    key: str


@dataclass(frozen=True)
class InputEntry:
    """An artifact that this one was made from."""

    port: str
    type: str
    digest: str
    path: str


@dataclass(frozen=True)
class Artifact:
    """A whole artifact.json."""

    type: str
    port: str
    facts: dict[str, FactValue]
    digest: str
    files: tuple[FileEntry, ...]
    producer: Producer
    created: str
    inputs: tuple[InputEntry, ...] = ()
    version: int = 1


def record_path(artifact: Path) -> Path:
    """Where the record of an artifact lies: in its folder, or beside a single file."""
    if artifact.is_file():
        return artifact.with_name(f"{artifact.name}.{RECORD_NAME}")
    return artifact / RECORD_NAME


def artifact_of(path: Path) -> Path:
    """The artifact that a path means: its record's own path means it too."""
    if path.name == RECORD_NAME:
        return path.parent
    if path.name.endswith(f".{RECORD_NAME}"):
        return path.with_name(path.name.removesuffix(f".{RECORD_NAME}"))
    return path


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
    write_atomic(file, json.dumps(as_json(record), indent=1, ensure_ascii=False) + "\n")
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
        return from_json(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def from_json(told: Any) -> Artifact:
    """The record that a parsed artifact.json holds. ValueError, TypeError or KeyError when it is none."""
    whole = _plain(Artifact, {**told, "files": (), "inputs": (), "producer": None}, ("producer",))
    facts = {str(name): value for name, value in whole["facts"].items() if isinstance(value, str | int)}
    return Artifact(
        **{
            **whole,
            "facts": facts,
            "files": tuple(FileEntry(**_plain(FileEntry, entry)) for entry in told["files"]),
            "producer": Producer(**_plain(Producer, told["producer"])),
            "inputs": tuple(InputEntry(**_plain(InputEntry, entry)) for entry in told.get("inputs", ())),
        }
    )


def _plain(kind: type[Any], told: dict[str, Any], unchecked: tuple[str, ...] = ()) -> dict[str, Any]:
    """The fields of `kind` in `told`, each of its type; keys of a later version are left out."""
    hints = get_type_hints(kind)
    found = {field.name: told[field.name] for field in fields(kind) if field.name in told}
    for name, value in found.items():
        wanted = getattr(hints[name], "__origin__", hints[name])
        if name not in unchecked and not isinstance(value, wanted):
            raise TypeError(f"{name} is {type(value).__name__}")
    return found


def as_json(record: Artifact) -> dict[str, Any]:
    """The record as plain data, `version` first."""
    return {"version": record.version, **asdict(record)}
