"""Which artifact types something on disk may be, by `types.toml`. Reads names and the beginning of files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fnmatch import fnmatch
from itertools import islice
from pathlib import Path
from typing import Any

from nemotron.catalog.types import Detect, Types

RECORDS = 20
_FOOTER_LIMIT = 16 << 20


def candidates(path: Path, types: Types) -> list[str]:
    """The types that `path` is consistent with, sorted; empty where nothing is recognised."""
    return sorted(
        name for name, kind in types.types.items() if any(_matches(path, entry) for entry in kind.detect)
    )


def parquet_columns(file: Path) -> bytes:
    """The footer of a Parquet file, which holds its schema; empty when the file is none.

    The names of the columns stand in it as plain text, so that no Parquet library is needed to look for one.
    The last eight bytes of the file are the footer's length (little endian) and the mark `PAR1`.
    """
    try:
        size = file.stat().st_size
        with open(file, "rb") as stream:
            if size < 12 or stream.read(4) != b"PAR1":
                return b""
            stream.seek(size - 8)
            length = int.from_bytes(stream.read(4), "little")
            if stream.read(4) != b"PAR1" or length > min(size - 12, _FOOTER_LIMIT):
                return b""
            stream.seek(size - 8 - length)
            return stream.read(length)
    except OSError:
        return b""


def _matches(path: Path, entry: Detect) -> bool:
    if entry.dir:
        return path.is_dir() and _folder_matches(path, entry)
    if entry.file is None:
        return False
    if path.is_dir():  # a folder of such files
        first = next(path.glob(entry.file), None)
        return first is not None and first.is_file() and _file_matches(first, entry)
    return path.is_file() and fnmatch(path.name, entry.file) and _file_matches(path, entry)


def _folder_matches(folder: Path, entry: Detect) -> bool:
    if entry.contains is not None and not (folder / entry.contains).is_file():
        return False
    if entry.glob is None:
        return True
    first = next(folder.glob(entry.glob), None)
    return first is not None and (not entry.parquet_columns or _has_columns(first, entry))


def _file_matches(file: Path, entry: Detect) -> bool:
    if entry.parquet_columns and not _has_columns(file, entry):
        return False
    if not entry.json_keys:
        return True
    records = list(islice(_records(file), RECORDS))
    return bool(records) and all(
        isinstance(record, dict) and all(key in record for key in entry.json_keys) for record in records
    )


def _has_columns(file: Path, entry: Detect) -> bool:
    footer = parquet_columns(file)
    return all(column.encode() in footer for column in entry.parquet_columns)


def _records(file: Path) -> Iterator[Any]:
    """The records of a JSONL file; one that is not JSON ends it."""
    try:
        with open(file, encoding="utf-8") as stream:
            for line in stream:
                if line.strip():
                    yield json.loads(line)
    except (OSError, ValueError):
        yield None
