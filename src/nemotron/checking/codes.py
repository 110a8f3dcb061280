"""The table of diagnostic codes, `codes.toml`: what each means and what ends it. Reads that file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nemotron.diagnostic import Failure, error
from nemotron.nearest import did_you_mean

_FILE = Path(__file__).with_name("codes.toml")
# What the codes of a range are about, by the first digit.
RANGES = {
    "1": "the catalog",
    "2": "configs and input data",
    "3": "alignment",
    "4": "parallelism",
    "5": "memory",
    "6": "surroundings",
    "7": "safety",
    "8": "running",
    "9": "bugs",
}


@dataclass(frozen=True)
class Example:
    """A command line that gives the code in an empty folder with these files (name → content) in it."""

    command: str
    files: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Code:
    """A code, its title, a paragraph on when it is given and what to do, and where it is cheap an example."""

    code: str
    title: str
    explanation: str
    example: Example | None = None


def all_codes() -> list[Code]:
    """Every code, in order."""
    table = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return [_code(code, entry) for code, entry in sorted(table.items())]


def find_code(code: str) -> Code:
    """One code; Failure NMT109 with the nearest one when there is none of that name."""
    known = {entry.code: entry for entry in all_codes()}
    if code.upper() not in known:
        hint = did_you_mean(code.upper(), known) or "`nemotron explain` lists them all"
        raise Failure(error("NMT109", f"there is no diagnostic code '{code}'", fix=hint))
    return known[code.upper()]


def _code(code: str, entry: dict[str, Any]) -> Code:
    example = Example(**entry["example"]) if "example" in entry else None
    return Code(code, entry["title"], entry["explanation"], example)
