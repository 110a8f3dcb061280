"""Megatron's files on disk: checkpoints by iteration, bin/idx shards. Reads names and small files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

_ITERATION = re.compile(r"iter_(\d+)")
TRACKER = "latest_checkpointed_iteration.txt"
# What torch's distributed checkpoint writes last: a folder without it was cut off.
_WRITTEN_LAST = ".metadata"


def iterations(folder: Path) -> list[Path]:
    """The `iter_*` folders of a run, the oldest first."""
    found = (child for child in folder.glob("iter_*") if _ITERATION.fullmatch(child.name) and child.is_dir())
    return sorted(found, key=iteration_of)


def iteration_of(folder: Path) -> int:
    """The optimiser step that an `iter_*` folder was saved after; -1 for another folder."""
    found = _ITERATION.fullmatch(folder.name)
    return int(found[1]) if found else -1


def is_complete(iteration: Path) -> bool:
    """Whether a checkpoint was written to its end."""
    return (iteration / _WRITTEN_LAST).is_file()


def newest_complete(folder: Path) -> Path | None:
    """The newest `iter_*` folder that was written to its end, and that the run's tracker counts."""
    whole = [iteration for iteration in iterations(folder) if is_complete(iteration)]
    last = _tracked(folder)
    counted = [iteration for iteration in whole if last is None or iteration_of(iteration) <= last]
    return counted[-1] if counted else None


def _tracked(folder: Path) -> int | None:
    try:
        text = (folder / TRACKER).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return int(text) if text.isdecimal() else None


def shards_missing(folder: Path) -> list[str]:
    """The files that `blend.json` needs and that are not there: of each shard its .bin and its .idx."""
    return [
        f"{shard}{suffix}"
        for shard in _blended(folder / "blend.json")
        for suffix in (".bin", ".idx")
        if not (folder / f"{shard}{suffix}").is_file()
    ]


def shards_left_over(folder: Path) -> list[str]:
    """The shards in the folder that `blend.json` does not name."""
    named = {Path(shard).name for shard in _blended(folder / "blend.json")}
    return sorted(file.stem for file in folder.glob("*.idx") if file.stem not in named)


def _blended(file: Path) -> list[str]:
    """The shards of a blend.json: each split is a list of prefixes, or of weights and prefixes in turn."""
    try:
        blend: Any = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    splits = blend.values() if isinstance(blend, dict) else ()
    return [
        item
        for split in splits
        for item in (split if isinstance(split, list) else ())
        if isinstance(item, str) and not item.replace(".", "", 1).isdigit()
    ]
