"""What lay in an output folder before a step ran there, kept beside it. Moves folders.

For the runner and for a job on a cluster, so it uses the standard library alone.
"""

from __future__ import annotations

import os
from pathlib import Path

from nemotron.faults import boundary


def move_aside(folder: Path, mark: str, *, is_forced: bool) -> Path | None:
    """Move a folder that holds something beside itself; its new place, None where there was nothing.

    It is `replaced` by a step that is made to run again, else `unfinished`, left by an attempt that died.
    """
    if not folder.is_dir() or not any(folder.iterdir()):
        return None
    aside = folder.with_name(f"{folder.name}.{'replaced' if is_forced else 'unfinished'}-{mark}")
    boundary()
    os.replace(folder, aside)
    boundary()
    return aside


def asides_of(folder: Path) -> list[Path]:
    """What was moved aside from a folder and is still there."""
    found = (folder.parent.glob(f"{folder.name}.{word}-*") for word in ("replaced", "unfinished"))
    return sorted(path for paths in found for path in paths if path.is_dir())
