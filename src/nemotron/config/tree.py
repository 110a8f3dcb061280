"""A configuration as a plain tree with the place of every key beside it. Pure data; touches no file."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from nemotron.diagnostic import Place

KeyPath = tuple[str | int, ...]
MISSING = "???"
_ABSENT = object()
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")


def split_key(dotted: str) -> KeyPath:
    """`a.b.0` as a path; a part of digits is an index where a list is met."""
    return tuple(int(part) if _INDEX.fullmatch(part) else part for part in dotted.split("."))


def join_key(path: KeyPath) -> str:
    return ".".join(str(part) for part in path)


@dataclass
class Document:
    """A tree of dicts, lists and scalars, and where each of its keys was written.

    A value that several layers set has the place of the last one.
    """

    tree: dict[str, Any] = field(default_factory=dict)
    places: dict[KeyPath, Place] = field(default_factory=dict)

    def get(self, key: str | KeyPath, default: Any = None) -> Any:
        """The value at a key, or `default` when any part of the path is absent."""
        found = _walk(self.tree, split_key(key) if isinstance(key, str) else key)
        return default if found is _ABSENT else found

    def has(self, key: str) -> bool:
        return _walk(self.tree, split_key(key)) is not _ABSENT

    def keys(self) -> list[str]:
        """Every key, of tables too, as `a.b.0`."""
        paths = [path[:end] for path, _ in leaves(self.tree) for end in range(1, len(path) + 1)]
        return [join_key(path) for path in dict.fromkeys(paths)]

    def place(self, key: str | KeyPath) -> Place | None:
        """Where the key was written, else where the nearest table around it was."""
        path = self._spelled(split_key(key) if isinstance(key, str) else key)
        for end in range(len(path), 0, -1):
            if path[:end] in self.places:
                return self.places[path[:end]]
        return None

    def set(self, key: str, value: Any, place: Place) -> None:
        """Put a value at a key, making the tables around it; what was below the key is gone.

        LookupError, and no change, where a list on the way has no such entry.
        """
        path = self._spelled(split_key(key))
        node: Any = self.tree
        for position, part in enumerate(path[:-1]):
            inner = _step(node, part)
            if not isinstance(inner, dict | list):
                inner = {}
                _assign(node, part, inner)
                self.places[path[: position + 1]] = place
            node = inner
        _assign(node, path[-1], copy.deepcopy(value))
        self._forget(path)
        for below, _ in leaves(value, path):
            for end in range(len(path), len(below) + 1):
                self.places[below[:end]] = place
        self.places[path] = place

    def delete(self, key: str) -> bool:
        """Remove a key of a table; whether it was there."""
        path = self._spelled(split_key(key))
        node = _walk(self.tree, path[:-1])
        if not isinstance(node, dict) or path[-1] not in node:
            return False
        del node[path[-1]]
        self._forget(path)
        return True

    def merge(self, over: Document) -> None:
        """Lay `over` on top: tables merge, everything else replaces."""
        self._merge(self.tree, over.tree, (), over)

    def _merge(self, base: dict[str, Any], over: dict[str, Any], path: KeyPath, source: Document) -> None:
        for key, value in over.items():
            here = (*path, key)
            if isinstance(value, dict) and isinstance(base.get(key), dict):
                self._merge(base[key], value, here, source)
            else:
                base[key] = copy.deepcopy(value)
                self._forget(here)
                self.places.update({p: m for p, m in source.places.items() if p[: len(here)] == here})
            if here in source.places:
                self.places[here] = source.places[here]

    def _spelled(self, path: KeyPath) -> KeyPath:
        """The path as the tree spells it: an index in a list, a word in a table."""
        spelled: list[str | int] = []
        node: Any = self.tree
        for part in path:
            as_it_is = isinstance(node, list) or (isinstance(node, dict) and part in node)
            spelled.append(part if as_it_is else str(part))
            node = _step(node, spelled[-1])
        return tuple(spelled)

    def _forget(self, path: KeyPath) -> None:
        for known in [p for p in self.places if p[: len(path)] == path]:
            del self.places[known]


def leaves(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Every scalar of a tree (and every empty table or list) with its path, in order."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    else:
        yield path, value


def _step(node: Any, part: str | int) -> Any:
    if isinstance(node, dict):
        if part in node:
            return node[part]
        return node.get(str(part), _ABSENT)
    if isinstance(node, list) and isinstance(part, int) and part < len(node):
        return node[part]
    return _ABSENT


def _walk(node: Any, path: KeyPath) -> Any:
    for part in path:
        node = _step(node, part)
        if node is _ABSENT:
            return _ABSENT
    return node


def _assign(node: Any, part: str | int, value: Any) -> None:
    if isinstance(node, list) and not (isinstance(part, int) and part < len(node)):
        raise LookupError(f"a list of {len(node)} has no entry '{part}'")
    node[part] = value
