"""`blend.json` of a bin/idx artifact: the shards of each split, with their weights. Reads that file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nemotron.backends.job import JobError

# The names of splits in blend.json, and the one that we use for each.
_SPLITS = {"train": "train", "valid": "valid", "validation": "valid", "test": "test"}


def file_of(paths: Any) -> Path | None:
    """The blend.json that a bin/idx artifact's path means; None for any other form of naming shards."""
    if not isinstance(paths, str):
        return None
    path = Path(paths)
    if path.is_dir() and (path / "blend.json").is_file():
        return path / "blend.json"
    return path if path.suffix == ".json" and path.is_file() else None


def read(file: Path) -> dict[str, list[str]]:
    """Split (train, valid, test) → weights and prefixes in turn, prefixes made absolute. JobError NMT216."""
    try:
        blend = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as problem:
        raise JobError("NMT216", f"blend.json is not JSON: {problem}", file=file, line=1) from problem
    if not isinstance(blend, dict) or not set(blend) <= set(_SPLITS):
        raise JobError("NMT216", "blend.json must map train, valid and test to lists", file=file, line=1)
    return {_SPLITS[name]: [_prefix(str(e), file.parent) for e in entries] for name, entries in blend.items()}


def _prefix(entry: str, folder: Path) -> str:
    try:
        float(entry)
    except ValueError:
        return str(folder / entry)
    return entry
