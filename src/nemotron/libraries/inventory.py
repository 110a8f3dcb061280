"""What `nemotron library list` shows: every library, and what of it is on this machine. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from nemotron.libraries.environment import Environment, current, folder_of, left_over
from nemotron.libraries.spec import Library, load, names


class State(StrEnum):
    """Whether a library can be used. A *broken* one has a folder that no job would be started in."""

    INSTALLED = "installed"
    MISSING = "not installed"
    BROKEN = "broken"
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True)
class Entry:
    """One library: what it is, whether it is here, and the folders of it that this checkout does not use."""

    library: Library
    state: State
    folder: Path | None
    environment: Environment | None
    left_over: list[Path]


def inventory() -> list[Entry]:
    """Every library, sorted by name."""
    return [_entry(load(name)) for name in names()]


def _entry(library: Library) -> Entry:
    environment = current(library)
    if library.elsewhere:
        state = State.INSTALLED if environment else State.ELSEWHERE
        return Entry(library, state, environment.folder if environment else None, environment, [])
    folder = environment.folder if environment else folder_of(library)
    state = State.INSTALLED if environment else State.BROKEN if folder.exists() else State.MISSING
    return Entry(library, state, folder, environment, left_over(library))
