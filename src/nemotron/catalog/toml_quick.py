"""Plain TOML read fast: a line that is a key and a simple value is read here, any other by tomllib. Pure.

The standard parser goes character by character, which for a catalog of a thousand manifests is most of the
time. What is not plain is left to it: `None` says that the whole text is.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any

_HEADER = re.compile(r"(\[\[?)([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)(\]\]?)[ \t]*\Z")
_STRING = re.compile(r"""([A-Za-z0-9_-]+) = (?:"([^"\\\x00-\x1f\x7f]*)"|'([^'\x00-\x1f\x7f]*)')\Z""")
_OTHER = re.compile(r"([A-Za-z0-9_-]+)[ \t]*=")
_SIMPLE = re.compile(r"true|false|0|[1-9][0-9]*")
_LONG = '"""'


class _NotPlain(Exception):
    """Something that only tomllib can judge."""


def quick_toml(text: str) -> dict[str, Any] | None:
    """What tomllib makes of the text, or None where this cannot tell."""
    if "\r" in text or "'''" in text:
        return None
    try:
        return _Reader().read(text.split("\n"))
    except (_NotPlain, tomllib.TOMLDecodeError):
        return None


class _Reader:
    """Reads line by line. `_made` are the tables and arrays of headers: values are closed to them."""

    def __init__(self) -> None:
        self._root: dict[str, Any] = {}
        self._made: dict[int, Any] = {id(self._root): self._root}

    def read(self, text: list[str]) -> dict[str, Any]:
        table = self._root
        lines = iter(text)
        for line in lines:
            if string := _STRING.match(line):
                self._put(table, string[1], string[2] if string[3] is None else string[3])
            elif not line or (line[0] == "#" and line.isprintable()):
                continue
            elif header := _HEADER.match(line):
                table = self._open(header)
            elif other := _OTHER.match(line):
                whole = line
                if _LONG in line:
                    whole = _through_long_string(line, lines)
                elif line.endswith("["):
                    whole = _through_array(line, lines)
                self._put(table, other[1], _value(whole, other[1]))
            else:
                raise _NotPlain
        return self._root

    def _put(self, table: dict[str, Any], key: str, value: Any) -> None:
        if key in table:
            raise _NotPlain
        table[key] = value

    def _open(self, header: re.Match[str]) -> dict[str, Any]:
        """The new table of a header."""
        if len(header[1]) != len(header[3]):
            raise _NotPlain
        *above, last = header[2].split(".")
        table: Any = self._root
        for part in above:
            fresh = part not in table
            table = self._make(table.setdefault(part, {}), fresh)
            table = table[-1] if isinstance(table, list) else table
        new: dict[str, Any] = {}
        self._made[id(new)] = new
        if header[1] == "[":
            self._put(table, last, new)
        else:
            fresh = last not in table
            entries = self._make(table.setdefault(last, []), fresh)
            if not isinstance(entries, list):
                raise _NotPlain
            entries.append(new)
        return new

    def _make(self, made: Any, fresh: bool) -> Any:
        if fresh:
            self._made[id(made)] = made
        elif id(made) not in self._made:
            raise _NotPlain
        return made


def _value(whole: str, key: str) -> Any:
    if _SIMPLE.fullmatch(value := whole[len(key) + 3 :]) and whole[len(key) : len(key) + 3] == " = ":
        return value == "true" if value in ("true", "false") else int(value)
    read = tomllib.loads(whole)
    if list(read) != [key]:
        raise _NotPlain
    return read[key]


def _through_array(line: str, lines: Iterator[str]) -> str:
    """The line and those after it, to the one that closes its array by itself."""
    whole = [line]
    while whole[-1] != "]":
        following = next(lines, None)
        if following is None:
            raise _NotPlain
        whole.append(following)
    return "\n".join(whole)


def _through_long_string(line: str, lines: Iterator[str]) -> str:
    """The line and those after it, until as many long strings are closed as were opened."""
    whole = [line]
    while sum(part.count(_LONG) for part in whole) % 2:
        following = next(lines, None)
        if following is None:
            raise _NotPlain
        whole.append(following)
    return "\n".join(whole)
