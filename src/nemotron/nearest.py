"""Did you mean: the nearest known names to an unknown one. Imports only the standard library."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str], *, count: int = 1) -> list[str]:
    """Up to `count` of the known names that resemble `name`, best first; none when nothing is near."""
    return difflib.get_close_matches(name, list(known), n=count, cutoff=0.6)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`did you mean 'X'?`, or an empty string."""
    found = nearest(name, known)
    return f"did you mean '{found[0]}'?" if found else ""
