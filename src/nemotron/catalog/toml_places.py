"""Where a key stands in a TOML file. The standard parser gives no positions, so the lines are scanned."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from nemotron.diagnostic import Place

_PART = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_DOTTED = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"^\s*(\[\[?)\s*({_DOTTED})\s*\]\]?")
_KEY = re.compile(rf"^(\s*)({_DOTTED})\s*=")
_TOKEN = re.compile(r"""\"{3}|'{3}|"(?:[^"\\]|\\.)*"|'[^']*'|#.*|[\[\]{}]""")
_CLOSING = {
    '"""': re.compile(r'(?:[^"\\]|\\.|"(?!""))*"{3,5}'),
    "'''": re.compile(r"(?:[^']|'(?!''))*'{3,5}"),
}
_SYNTAX_PLACE = re.compile(r"\(at line (\d+), column (\d+)\)")

TomlPath = tuple[str | int, ...]


def find_place(file: Path, path: Sequence[str | int]) -> Place:
    """The place of the key at `path` (array tables by index), else of the nearest table around it."""
    places = all_places(file)
    for end in range(len(path), 0, -1):
        if (found := places.get(tuple(path[:end]))) is not None:
            return found
    return Place(str(file), 1, 1)


def all_places(file: Path) -> dict[TomlPath, Place]:
    """The place of every table's header and of every key that begins a line."""
    found = _scan(file.read_text(encoding="utf-8"))
    return {path: Place(str(file), line, column, length) for path, (line, column, length) in found.items()}


def syntax_place(file: Path, message: str) -> Place:
    """The place that tomllib's message names, else the end of the file."""
    if match := _SYNTAX_PLACE.search(message):
        return Place(str(file), int(match.group(1)), int(match.group(2)))
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines() or [""]
    return Place(str(file), len(lines), len(lines[-1]) + 1)


def _scan(text: str) -> dict[TomlPath, tuple[int, int, int]]:
    """Path → line, column, length of every header and every key that begins a line."""
    places: dict[TomlPath, tuple[int, int, int]] = {}
    table: TomlPath = ()
    counts: dict[TomlPath, int] = {}
    depth, inside = 0, ""
    for number, line in enumerate(text.split("\n"), start=1):
        if depth == 0 and not inside:
            if header := _HEADER.match(line):
                table = _enter(_split(header.group(2)), header.group(1) == "[[", counts)
                start = line.index("[")
                places.setdefault(table, (number, start + 1, header.end() - start))
            elif key := _KEY.match(line):
                path = (*table, *_split(key.group(2)))
                places.setdefault(path, (number, len(key.group(1)) + 1, len(key.group(2))))
        depth, inside = _after(line, depth, inside)
    return places


def _after(line: str, depth: int, inside: str) -> tuple[int, str]:
    """How many brackets are open after a line, and the quotes of the string that goes on into the next."""
    at = 0
    while True:
        if inside:
            closing = _CLOSING[inside].match(line, at)
            if closing is None:
                return depth, inside
            at, inside = closing.end(), ""
        token = _TOKEN.search(line, at)
        if token is None:
            return depth, ""
        at = token.end()
        if token.group() in _CLOSING:
            inside = token.group()
        else:
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token.group(), 0)


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
    return [part.strip("\"'") for part in re.findall(_PART, dotted)]
