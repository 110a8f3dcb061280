"""Where things of the user's lie, and writing files whole. For every package; standard library only."""

from __future__ import annotations

import os
from pathlib import Path

from nemotron.faults import boundary


class NoHome(Exception):
    """Something is to be kept for the user, who has no home folder."""


def home() -> Path | None:
    """The user's home folder; None where there is none, as in a container that runs under any user id."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def cache_folder() -> Path:
    """The user's cache folder for nemotron: $NEMOTRON_CACHE, else below $XDG_CACHE_HOME or ~/.cache.

    NoHome when there is none of them.
    """
    if named := os.environ.get("NEMOTRON_CACHE"):
        return Path(named)
    if named := os.environ.get("XDG_CACHE_HOME"):
        return Path(named) / "nemotron"
    own = home()
    if own is None:
        raise NoHome
    return own / ".cache" / "nemotron"


def write_atomic(path: Path, text: str) -> None:
    """Write a file so that it is either whole or not there: a temporary name, then `os.replace`."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    boundary()
    try:
        with open(temporary, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        boundary()
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    boundary()


def read_end(path: Path, size: int) -> bytes:
    """The last `size` bytes of a file; none where it cannot be read."""
    try:
        with open(path, "rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - size))
            return stream.read()
    except OSError:
        return b""


def project_root(start: Path | None = None) -> Path:
    """The nearest folder upwards with a `.nemotron`, else with a pyproject.toml or .git; else the start."""
    here = (start or Path.cwd()).resolve()
    folders = [here, *here.parents]
    for marks in ((".nemotron",), ("pyproject.toml", ".git")):
        for folder in folders:
            if any((folder / mark).exists() for mark in marks):
                return folder
    return here
