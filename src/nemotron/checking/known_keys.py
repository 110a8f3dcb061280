"""Which keys a step's reader knows: of the manifest, of the shipped configs, of the library's schema.

Reads the step's configs and the schemas under `checking/schemas/`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nemotron.catalog.catalog import Step
from nemotron.config.layers import RUN_KEYS, read_layers
from nemotron.config.tree import KeyPath, split_key

_SCHEMAS = Path(__file__).parent / "schemas"
TARGET = "_target_"


class KnownKeys:
    """The tree of known keys of a step. A table is *open* where its reader takes any key."""

    def __init__(self) -> None:
        self._children: dict[KeyPath, set[str]] = {(): {"run", "defaults"}, ("run",): set(RUN_KEYS)}
        self._anything: set[KeyPath] = set()

    @classmethod
    def of_step(cls, step: Step) -> KnownKeys:
        known = cls()
        manifest = step.manifest
        for name in step.config_names():
            known._add_tree(read_layers(step.config_folder / f"{name}.yaml").tree)
        for port in (*manifest.consumes, *manifest.produces):
            known._add(split_key(port.at))
        for parameter in manifest.parameters:
            path = split_key(parameter.key)
            known._add(path)
            if parameter.type in ("table", "list"):
                known._anything.add(path)
        schema = _SCHEMAS / f"{manifest.step.library}.json"
        if schema.is_file() and manifest.step.launch == "torchrun":
            for section, keys in json.loads(schema.read_text(encoding="utf-8"))["sections"].items():
                for key in keys:
                    known._add((*split_key(section), key))
        return known

    def at(self, path: KeyPath) -> set[str]:
        """The keys known in the table at `path`."""
        return self._children.get(_generic(path), set())

    def is_open(self, path: KeyPath, tree: dict[str, Any]) -> bool:
        """Whether the table is the argument list of a `_target_`, which may take more than we know."""
        table: Any = tree
        for part in path:
            if not isinstance(table, dict | list):
                return False
            table = table[part]  # type: ignore[index]
        return isinstance(table, dict) and TARGET in table

    def unknown(self, tree: dict[str, Any], path: KeyPath = ()) -> Iterator[KeyPath]:
        """The paths of the keys that are not known; below an unknown key nothing further is reported."""
        for key, value in tree.items():
            here = (*path, key)
            if key != TARGET and key not in self.at(path):
                yield here
            elif _generic(here) not in self._anything:
                yield from self._below(value, here)

    def _below(self, value: Any, path: KeyPath) -> Iterator[KeyPath]:
        if isinstance(value, dict) and (self.at(path) or TARGET in value):
            yield from self.unknown(value, path)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                yield from self._below(item, (*path, index))

    def _add_tree(self, tree: Any, path: KeyPath = ()) -> None:
        if isinstance(tree, dict):
            for key, value in tree.items():
                self._add((*path, key))
                self._add_tree(value, (*path, key))
        elif isinstance(tree, list):
            for item in tree:
                self._add_tree(item, (*path, 0))

    def _add(self, path: KeyPath) -> None:
        path = _generic(path)
        for end in range(len(path)):
            if isinstance(path[end], str):
                self._children.setdefault(path[:end], set()).add(str(path[end]))


def _generic(path: KeyPath) -> KeyPath:
    """A path in which every index is 0: the entries of a list have one shape."""
    return tuple(0 if isinstance(part, int) else part for part in path)
