"""The folders `iter_*` of a training run on disk: which are whole, which is the newest. Reads names of files.

`point_at` and `tidy` change what lies around them: the tracker files, folders that were cut off, LATEST.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from nemotron.files import write_atomic

LATEST = "LATEST"
_ITERATION = re.compile(r"iter_(\d+)")
# Of a checkpoint that was written to its end: the library writes them after the shards, in this order.
_WRITTEN_LAST = (".metadata", "train_state.pt", "run_config.yaml")
# What the library reads to find the newest: its own file first, else that of Megatron-LM.
_TRACKER, _OLD_TRACKER = "latest_train_state.pt", "latest_checkpointed_iteration.txt"


def number_of(folder: Path) -> int | None:
    """The optimiser step that a folder `iter_*` was saved after; None for another folder."""
    found = _ITERATION.fullmatch(folder.name)
    return int(found[1]) if found else None


def missing_from(iteration: Path) -> list[str]:
    """The files that a checkpoint still lacks; none when it was written to its end."""
    return [name for name in _WRITTEN_LAST if not (iteration / name).is_file()]


def all_in(folder: Path) -> list[Path]:
    """The folders `iter_*` in a folder, the oldest first."""
    found = [(number_of(child), child) for child in folder.glob("iter_*") if child.is_dir()]
    return [child for number, child in sorted((n, c) for n, c in found if n is not None)]


def newest_whole(folder: Path) -> Path | None:
    """The newest checkpoint in a folder that was written to its end."""
    return next((each for each in reversed(all_in(folder)) if not missing_from(each)), None)


def tidy(folder: Path) -> None:
    """Make the library go on from the newest whole checkpoint: remove what was cut off, set the trackers."""
    newest = newest_whole(folder)
    for iteration in all_in(folder):
        if missing_from(iteration):
            shutil.rmtree(iteration)
    if newest is None:
        for name in (_TRACKER, _OLD_TRACKER):
            (folder / name).unlink(missing_ok=True)
    else:
        _set_trackers(folder, newest)


def point_at(folder: Path, iteration: Path) -> Path:
    """Make `folder` hold this checkpoint alone, as a link, where the library takes the newest of a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / iteration.name
    if not link.is_symlink():
        link.symlink_to(iteration, target_is_directory=True)
    _set_trackers(folder, iteration)
    return folder


def link_latest(folder: Path, iteration: Path) -> Path:
    """The link LATEST in the folder, set to one of its checkpoints."""
    link, new = folder / LATEST, folder / f".{LATEST}.{os.getpid()}"
    new.unlink(missing_ok=True)
    new.symlink_to(iteration.name, target_is_directory=True)
    os.replace(new, link)
    return link


def _set_trackers(folder: Path, iteration: Path) -> None:
    temporary = folder / f".{_TRACKER}.{os.getpid()}"
    shutil.copyfile(iteration / "train_state.pt", temporary)
    os.replace(temporary, folder / _TRACKER)
    write_atomic(folder / _OLD_TRACKER, f"{number_of(iteration)}")
