"""What lies in a step's folder, for the rules over the catalog. Reads its configs and the patterns' names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

from nemotron.catalog.catalog import Step
from nemotron.catalog.manifest import Consumes, Produces
from nemotron.catalog.toml_places import find_place
from nemotron.checking.known_keys import KnownKeys, Problem, schema_of
from nemotron.checking.library_schema import slip_of
from nemotron.config.layers import read_layers
from nemotron.config.tree import Document, KeyPath, split_key
from nemotron.config.yaml_places import read_yaml
from nemotron.diagnostic import Diagnostic, Failure, Place

Port = Consumes | Produces


@dataclass(frozen=True)
class StepFiles:
    """A step and its shipped configs, each read once."""

    step: Step

    @property
    def file(self) -> Path:
        return self.step.folder / "step.toml"

    def place(self, *path: str | int) -> Place:
        """Where a key of the manifest stands; found only for a problem: it takes a scan of the file."""
        return find_place(self.file, path)

    @cached_property
    def own(self) -> dict[str, Document | Failure]:
        """Config name → what its file holds by itself, or why it cannot be read."""
        return {name: self._read(name) for name in self.step.config_names()}

    def unreadable(self) -> Iterator[Diagnostic]:
        """The problems of the configs that cannot be read, or whose `defaults:` cannot."""
        plain = {f"{name}.yaml" for name, own in self.own.items() if _stands_alone(own)}
        for name, own in self.own.items():
            if _stands_alone(own) or (isinstance(own, Document) and own.tree["defaults"] in plain):
                continue
            try:
                read_layers(self._config(name))
            except Failure as failure:
                for problem in failure.diagnostics:
                    yield replace(problem, code="NMT120", summary=f"a shipped config: {problem.summary}")

    @cached_property
    def default(self) -> Document | None:
        """default.yaml with the layers below it; None where it is absent or does not read."""
        own = self.own.get("default")
        if not isinstance(own, Document) or "defaults" not in own.tree:
            return own if isinstance(own, Document) else None
        try:
            return read_layers(self._config("default"))
        except Failure:
            return None

    def place_in_default(self, key: str) -> Place | None:
        """Where default.yaml has a key. The quick reading keeps no places, so the file is read again."""
        try:
            return read_layers(self._config("default")).place(key)
        except Failure:
            return None

    def has_key(self, key: str) -> bool:
        """Whether a shipped config has the key, or the library's schema accepts it."""
        if any(document.has(key) for document in self._trees):
            return True
        schema = schema_of(self.step)
        if schema is None or self.default is None:
            return False
        path = split_key(key)
        found = KnownKeys(schema).findings(_with_key(self.default.tree, path))
        at_fault = {f.path for f in found if f.problem in (Problem.UNKNOWN, Problem.SLIP)}
        return not any(path[:end] in at_fault for end in range(1, len(path) + 1))

    def has_output_key(self, key: str) -> bool:
        """As `has_key`; without a schema a config may leave it out, as the runner sets it in any case."""
        return self.has_key(key) or (schema_of(self.step) is None and slip_of(key, self.keys()) is None)

    def keys(self) -> list[str]:
        """Every key of the shipped configs."""
        return list(dict.fromkeys(chain.from_iterable(document.keys() for document in self._trees)))

    def _config(self, name: str) -> Path:
        return self.step.config_folder / f"{name}.yaml"

    def _read(self, name: str) -> Document | Failure:
        try:
            return read_yaml(self._config(name), quick=True)
        except Failure as failure:
            return failure

    @property
    def _trees(self) -> list[Document]:
        return [document for document in self.own.values() if isinstance(document, Document)]


def ports(step: Step) -> Iterator[tuple[str, int, Port]]:
    """Every port of a step with the table and the index that it has in the manifest."""
    for index, consumed in enumerate(step.manifest.consumes):
        yield "consumes", index, consumed
    for index, produced in enumerate(step.manifest.produces):
        yield "produces", index, produced


def pattern_names(roots: list[Path]) -> set[str]:
    """The ids of the pages below every root's `patterns/`."""
    return {page.stem for root in roots for page in (root / "patterns").glob("*.md")} - {"README"}


def _stands_alone(own: Document | Failure) -> bool:
    return isinstance(own, Document) and "defaults" not in own.tree


def _with_key(tree: dict[str, Any], path: KeyPath) -> dict[str, Any]:
    """The tables of a tree around a key, with only the key and what chooses their schema (`_target_`, …)."""
    *tables, last = (str(part) for part in path)
    result: dict[str, Any] = {}
    inner, around = result, tree
    for part in tables:
        inner.update(_words(around))
        inner[part] = {}
        inner = inner[part]
        below = around.get(part)
        around = below if isinstance(below, dict) else {}
    inner.update(_words(around))
    inner.setdefault(last, None)
    return result


def _words(table: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in table.items() if isinstance(value, str)}
