"""Which keys of a config its step reads: those of the manifest, and of the library's schema or the configs.

Reads the step's shipped configs where its library has no schema, else the schema.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from nemotron.catalog.catalog import Step
from nemotron.checking.library_schema import TARGET, LibrarySchema, Table, library_schema, slip_of
from nemotron.checking.value_types import has_type
from nemotron.config.layers import RUN_KEYS
from nemotron.config.tree import KeyPath, split_key
from nemotron.config.yaml_places import read_yaml
from nemotron.nearest import nearest


class Problem(StrEnum):
    """What is wrong with a key, or with the name that it holds."""

    UNKNOWN = "unknown"  # nothing reads the key
    SLIP = "slip"  # the reader takes any key, but this one is almost a known one
    UNREAD = "unread"  # the library's own files have the section, the recipe does not read it
    TARGET = "target"  # the library has no class or function of this name
    TYPE = "type"  # the library wants another type of value


@dataclass(frozen=True)
class Finding:
    """One key at fault; `instead` are the names that may have been meant, `known` the keys of its table.

    `because` is another key of the table and its value, which rule this one out. `wanted` is the type of
    value that the key takes.
    """

    problem: Problem
    path: KeyPath
    instead: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()
    because: str = ""
    wanted: str = ""


class KnownKeys:
    """The tree of known keys of a step."""

    def __init__(self, schema: LibrarySchema | None = None) -> None:
        self._schema = schema
        self._children: dict[KeyPath, set[str]] = {(): {"run", "defaults"}, ("run",): set(RUN_KEYS)}
        self._anything: set[KeyPath] = {("run", "env_vars")}

    @classmethod
    def of_step(cls, step: Step) -> KnownKeys:
        """The keys of a step."""
        manifest = step.manifest
        schema = schema_of(step)
        known = cls(schema)
        for produced in manifest.produces:
            known._add(split_key(produced.at))
        for consumed in manifest.consumes:
            known._add(split_key(consumed.at))
            known._add(split_key(consumed.field_at or consumed.at))
            for key in ("path", "weight") if consumed.many else ():
                known._add((*split_key(consumed.at), 0, key))
        for parameter in manifest.parameters:
            path = split_key(parameter.key)
            known._add(path)
            if parameter.type in ("table", "list"):
                known._anything.add(_generic(path))
        if schema is None:
            known._add_configs(step)
        return known

    def findings(self, tree: dict[str, Any]) -> Iterator[Finding]:
        """Every key at fault; below an unknown key nothing further is reported."""
        if self._schema is None or self._schema.is_for(tree):
            yield from self._in_table(tree, ())
        else:
            yield from self._wrong_targets(tree, ())

    @property
    def recipes(self) -> frozenset[str]:
        """The library's recipes that these keys are for, by their last names; none without a schema."""
        return self._schema.recipe_names if self._schema is not None else frozenset()

    def widest(self, path: KeyPath, table: dict[str, Any]) -> Table | None:
        """Every key that the table at `path` may have whatever its other values; `table` is one such."""
        return self._with_own(path, table, self._schema.widest(path, table) if self._schema else None)

    def of_target(self, path: KeyPath, table: dict[str, Any]) -> Table | None:
        """The keys of a table with just this `_target_`; None where there may be others too."""
        known = self._table(path, table) if self._schema is not None and TARGET in table else None
        return None if known is None or known.open else known

    def takes_anything(self, path: KeyPath) -> bool:
        """Whether what is below the key is not the step's to say."""
        return _generic(path) in self._anything

    def _in_table(self, table: dict[str, Any], path: KeyPath) -> Iterator[Finding]:
        known = self._table(path, table)
        for key, value in table.items():
            here = (*path, key)
            found = self._judge(key, value, here, known) if known is not None and key != TARGET else None
            if found is not None:
                yield found
            yield from self._wrong_target(key, value, here)
            if (found is None or found.problem is Problem.SLIP) and _generic(here) not in self._anything:
                yield from self._below(value, here)

    def _table(self, path: KeyPath, table: dict[str, Any]) -> Table | None:
        """What the table at `path` may hold; None where it may hold anything."""
        return self._with_own(path, table, self._schema.table(path, table) if self._schema else None)

    def _with_own(self, path: KeyPath, table: dict[str, Any], known: Table | None) -> Table | None:
        """What the library knows of a table, and what the step adds to it."""
        own = frozenset(self._children.get(_generic(path), set()))
        if self._schema is None:
            return Table(own, open=TARGET in table) if own or TARGET in table else None
        if known is not None:
            types = {key: kind for key, kind in known.types.items() if key not in own}  # the manifest's count
            return replace(known, keys=known.keys | (own - known.refused), types=types)
        return Table(own) if own and not self._is_the_librarys(path) else None

    def _is_the_librarys(self, path: KeyPath) -> bool:
        top = self._schema.table((), {}) if self._schema else None
        return top is not None and top.knows(str(path[0]))

    def _judge(self, key: str, value: Any, path: KeyPath, known: Table) -> Finding | None:
        if known.knows(key):
            wanted = known.types.get(key, "")
            return Finding(Problem.TYPE, path, wanted=wanted) if not has_type(value, wanted) else None
        if len(path) == 1 and self._schema is not None and key in self._schema.unread:
            return Finding(Problem.UNREAD, path, self._schema.unread[key])
        if known.open:
            meant = slip_of(key, known.keys)
            return Finding(Problem.SLIP, path, (meant,), known.keys) if meant else None
        if key in known.refused:
            return Finding(Problem.UNKNOWN, path, known=known.keys, because=known.because)
        names = frozenset(name for name in known.keys if "*" not in name)
        close = nearest(key, names) or sorted(name for name in names if name.startswith(f"{key}_"))
        return Finding(Problem.UNKNOWN, path, tuple(close), names)

    def _below(self, value: Any, path: KeyPath) -> Iterator[Finding]:
        if isinstance(value, dict):
            yield from self._in_table(value, path)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                yield from self._below(item, (*path, index))

    def _wrong_target(self, key: str, value: Any, path: KeyPath) -> Iterator[Finding]:
        """What `recipe`, `_target_` and AutoModel's `*_fn` name is looked up while the config is loaded."""
        if self._schema is None or not isinstance(value, str):
            return
        meant = None
        if key == TARGET or key.endswith("_fn") or (path == ("recipe",) and "." in value):
            meant = self._schema.nearest_target(value)
        elif path == ("recipe",):
            meant = self._schema.nearest_recipe(value)
        if meant is not None:
            yield Finding(Problem.TARGET, path, (meant,) if meant else ())

    def _wrong_targets(self, value: Any, path: KeyPath) -> Iterator[Finding]:
        for key, item in value.items() if isinstance(value, dict) else ():
            yield from self._wrong_target(key, item, (*path, key))
            yield from self._wrong_targets(item, (*path, key))

    def _add_configs(self, step: Step) -> None:
        """A config that stands by itself says what may be given; one with `defaults:` only changes values."""
        for name in step.config_names():
            tree = read_yaml(step.config_folder / f"{name}.yaml").tree
            if "defaults" not in tree:
                self._add_tree(tree)

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


def schema_of(step: Step) -> LibrarySchema | None:
    """The schema of what reads the step's config: the library's trainers do so under torchrun."""
    manifest = step.manifest
    schema = library_schema(manifest.step.library or "") if manifest.step.launch == "torchrun" else None
    if schema is not None and not any(schema.has_key(split_key(port.at)) for port in manifest.produces):
        return None  # a converter has a config of its own
    return schema


def _generic(path: KeyPath) -> KeyPath:
    """A path in which every index is 0: the entries of a list have one shape."""
    return tuple(0 if isinstance(part, int) else part for part in path)
