"""Where a key stands in a TOML file. The standard parser gives no positions, so the lines are scanned."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from nemotron.diagnostic import Place

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?")
_KEY = re.compile(r'^(\s*)((?:[A-Za-z0-9_-]+|"[^"]*")(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"))*)\s*=')
_SYNTAX_PLACE = re.compile(r"\(at line (\d+), column (\d+)\)")

TomlPath = tuple[str | int, ...]


def find_place(file: Path, path: Sequence[str | int]) -> Place:
    """The place of the key at `path` (array tables by index), else of the nearest table around it."""
    places = _scan(file.read_text(encoding="utf-8"))
    for end in range(len(path), 0, -1):
        if (found := places.get(tuple(path[:end]))) is not None:
            line, column, length = found
            return Place(str(file), line, column, length)
    return Place(str(file), 1, 1)


def syntax_place(file: Path, message: str) -> Place:
    """The place that tomllib's message names, else the end of the file."""
    if match := _SYNTAX_PLACE.search(message):
        return Place(str(file), int(match.group(1)), int(match.group(2)))
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines() or [""]
    return Place(str(file), len(lines), len(lines[-1]) + 1)


def _scan(text: str) -> dict[TomlPath, tuple[int, int, int]]:
    places: dict[TomlPath, tuple[int, int, int]] = {}
    table: TomlPath = ()
    counts: dict[TomlPath, int] = {}
    inside_string: str | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        if inside_string is None:
            if header := _HEADER.match(line):
                table = _enter(_split(header.group(2)), header.group(1) == "[[", counts)
                places.setdefault(table, (number, line.index("[") + 1, len(line.strip())))
            elif key := _KEY.match(line):
                path = (*table, *_split(key.group(2)))
                places.setdefault(path, (number, len(key.group(1)) + 1, len(key.group(2))))
        for quotes in ('"""', "'''"):
            if line.count(quotes) % 2 and inside_string in (None, quotes):
                inside_string = None if inside_string else quotes
    return places


def _enter(parts: list[str], is_array: bool, counts: dict[TomlPath, int]) -> TomlPath:
    """The path of a table header: array tables around it stand for their newest entry."""
    path: TomlPath = ()
    for position, part in enumerate(parts):
        path = (*path, part)
        last = position == len(parts) - 1
        if last and is_array:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path


def _split(dotted: str) -> list[str]:
    return [part.strip().strip('"') for part in dotted.split(".")]
