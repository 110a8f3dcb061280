"""Did you mean: the nearest known names to an unknown one. Imports only the standard library."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from pathlib import Path


def nearest(name: str, known: Iterable[str], *, count: int = 1) -> list[str]:
    """Up to `count` of the known names that resemble `name`, best first; none when nothing is near."""
    return difflib.get_close_matches(name, list(known), n=count, cutoff=0.6)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`did you mean 'X'?`, or an empty string."""
    found = nearest(name, known)
    return f"did you mean '{found[0]}'?" if found else ""


def near_file(path: Path) -> str:
    """`did you mean 'X'?` for a path that is not there, of what its folder has; else an empty string."""
    try:
        return did_you_mean(path.name, os.listdir(path.parent))
    except OSError:
        return ""
