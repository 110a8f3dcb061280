"""Whether a Megatron checkpoint on disk is whole: its files, its shards, the tracker. Reads only."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from nemotron.backends.job import JobError
from nemotron.backends.megatron import iterations

_TRACKER = "latest_checkpointed_iteration.txt"


def iteration(named: str, key: str, *, newest_of_run: bool = False) -> Path:
    """The folder `iter_*` that a path or a link names. JobError NMT861 when it is none, or lacks something.

    `key` is the config key that named it. Only with `newest_of_run` may it name the folder of a run.
    """
    folder = Path(named).resolve()
    if newest_of_run and iterations.number_of(folder) is None:
        folder = newest(folder) or folder
    if iterations.number_of(folder) is None:
        found = newest(folder)
        raise JobError(
            "NMT861",
            f"{named} is no checkpoint of one iteration: its name is not iter_…",
            file=named,
            fix=f"{key}={found}" if found else f"{key}=RUN/iter_…",
        )
    if lacks := missing(folder):
        found = newest(folder.parent)
        raise JobError(
            "NMT861",
            f"{named} is not whole: {'; '.join(lacks)}",
            file=named,
            fix=f"{key}={found}" if found else "save it again, or copy all of it",
        )
    return folder


def newest(run: Path) -> Path | None:
    """The newest checkpoint of a run that lacks nothing."""
    return next((each for each in reversed(iterations.all_in(run)) if not missing(each)), None)


def missing(folder: Path) -> list[str]:
    """What a folder `iter_*` lacks, in words; nothing when it was written to its end."""
    if not folder.is_dir():
        return ["it is not there"]
    if lacks := iterations.missing_from(folder):
        return [f"it lacks {', '.join(lacks)}"]
    return [*_shards(folder), *_tracker(folder)]


def _shards(folder: Path) -> list[str]:
    """The shards that the checkpoint's index names and that are not there, or are too short."""
    from torch.distributed.checkpoint import FileSystemReader

    try:
        index = FileSystemReader(folder).read_metadata().storage_data
    except Exception:  # whatever unpickling a damaged file raises
        return ["its index .metadata cannot be read"]
    ends: dict[str, int] = defaultdict(int)
    for stored in index.values():
        ends[stored.relative_path] = max(ends[stored.relative_path], stored.offset + stored.length)
    found = []
    for name, end in sorted(ends.items()):
        file = folder / name
        if not file.is_file():
            found.append(f"the shard {name} is missing")
        elif file.stat().st_size < end:
            found.append(f"the shard {name} has {file.stat().st_size} of {end} bytes")
    return found


def _tracker(folder: Path) -> list[str]:
    """The tracker is written after everything else: an iteration that it does not count is not whole."""
    try:
        counted = int((folder.parent / _TRACKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return [f"its run has no {_TRACKER}"]
    number = iterations.number_of(folder) or 0
    return [f"{_TRACKER} counts up to iteration {counted}"] if number > counted else []
