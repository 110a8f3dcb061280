"""What a training library's recipe reads: its sections, and the keywords of what a `_target_` may name.

Reads the JSON under `checking/schemas/`, which `scripts/make_schemas.py` writes from the library's source.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from fnmatch import fnmatchcase
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from nemotron.config.tree import KeyPath
from nemotron.nearest import nearest

_SCHEMAS = Path(__file__).parent / "schemas"
TARGET = "_target_"
# Where any name may be right, one this much like a known one is taken for a slip of it.
_SLIP = 0.85
_SLIP_OF_PART = 0.6
_SLIP_OF_DOTTED_NAME = 0.95


@dataclass(frozen=True)
class Table:
    """The keys that a table of the config may have; `open` where it may have others too.

    `refused` are those that it may not have because of another of its keys, `because` (`strategy: ddp`).
    `types` are the simple types of some keys, in the words of a manifest's parameters.
    """

    keys: frozenset[str] = frozenset()
    open: bool = False
    refused: frozenset[str] = frozenset()
    because: str = ""
    types: dict[str, str] = field(default_factory=dict)

    def knows(self, key: str) -> bool:
        return key in self.keys or any(fnmatchcase(key, k) for k in self.keys if "*" in k)


class LibrarySchema:
    """The keys of one library: `sections` by their place in the config, `targets` by their dotted name."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data
        self._targets: dict[str, dict[str, Any]] = data["targets"]
        self._sections: dict[str, dict[str, Any]] = data["sections"]
        self._patterns = [name for name in self._sections if "*" in name]

    def is_for(self, tree: dict[str, Any]) -> bool:
        """Whether the config is for a recipe that the sections describe: AutoModel has others.

        All recipes of Megatron-Bridge make one kind of config: theirs are `megatron.bridge.recipes.*`.
        """
        recipe = tree.get("recipe")
        name = recipe.get(TARGET) if isinstance(recipe, dict) else recipe
        return name is None or any(fnmatchcase(_last(str(name)), known) for known in self.recipe_names)

    @property
    def recipe_names(self) -> frozenset[str]:
        """The last parts of the recipes that the sections describe; `*` for all."""
        return frozenset(map(_last, self._data["recipes"]))

    def has_key(self, path: KeyPath) -> bool:
        """Whether a key belongs to one of the library's own sections."""
        return str(path[0]) in self._sections[""]["keys"] and len(path) > 1

    @cached_property
    def unread(self) -> dict[str, tuple[str, ...]]:
        """Sections of the library's own files that its recipe does not read → the keys that do the same."""
        return {section: tuple(keys) for section, keys in self._sections[""]["unread"].items()}

    def table(self, path: KeyPath, table: dict[str, Any]) -> Table | None:
        """What the table at `path` may hold; None where nothing is known of it."""
        section = self._section(path)
        if section is not None and not section["open"]:
            return _closed(section, table)
        target = table.get(TARGET)
        entry = self.target(target) if isinstance(target, str) else None
        if section is None and target is None:
            return None
        keys = frozenset(section["keys"] if section else ())
        return Table(keys | entry.keys, entry.open) if entry else Table(keys, open=True)

    def widest(self, path: KeyPath, table: dict[str, Any]) -> Table | None:
        """As `table`, with every key that some other choice, factory or target would allow."""
        section = self._section(path)
        if section is not None and "choice" in section:
            return Table(frozenset(section["keys"]).union(*section["choice"]["keys"].values()))
        known = self.table(path, table)
        may_be_other = section is None or section["open"] or "factory" in section
        return replace(known, open=True) if known is not None and may_be_other else known

    def target(self, name: str) -> Table | None:
        """The keywords of a class or function; None when it is not listed."""
        entry = self._targets.get(name)
        if entry is not None and "same_as" in entry:
            entry = self._targets[entry["same_as"]]
        return Table(frozenset(entry["keys"]), entry["open"]) if entry is not None else None

    def nearest_target(self, name: str) -> str | None:
        """The target that was meant by a name that the library does not have.

        None when the name is listed, or when it may well exist: not all of the library is listed.
        """
        package = self._data["recipes"][0].split(".")[0]
        if name in self._targets or not name.startswith(f"{package}."):
            return None
        owner, _, attribute = name.rpartition(".")
        if owner in self._targets:  # a method, perhaps an inherited one
            methods = [_last(known) for known in self._targets if known.rpartition(".")[0] == owner]
            found = slip_of(attribute, methods)
            return f"{owner}.{found}" if found else None
        if any(name.startswith(f"{module}.") for module in self._data["covered"]):
            return (nearest(name, self._targets) or [""])[0]
        return next(
            (t for t in nearest(name, self._targets) if _alike(name, t) >= _SLIP_OF_DOTTED_NAME), None
        )

    def nearest_recipe(self, name: str) -> str | None:
        """The recipe that was meant by a name without a dot; None when it is listed, or none are."""
        recipes = self._recipes
        return (nearest(name, recipes) or [""])[0] if recipes and name not in recipes else None

    @cached_property
    def _recipes(self) -> set[str]:
        patterns = self._data["recipes"]
        return {_last(t) for t in self._targets for pattern in patterns if fnmatchcase(t, pattern)}

    def _section(self, path: KeyPath) -> dict[str, Any] | None:
        parts = ["*" if isinstance(part, int) else part for part in path]
        name = ".".join(parts)
        if name in self._sections:
            return self._sections[name]
        for pattern in self._patterns:
            wanted = pattern.split(".")
            if len(wanted) == len(parts) and all(map(fnmatchcase, parts, wanted)):
                return self._sections[pattern]
        return None


@cache
def library_schema(library: str) -> LibrarySchema | None:
    """The schema of a library, when there is one."""
    file = _SCHEMAS / f"{library}.json"
    return LibrarySchema(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else None


def slip_of(name: str, known: Iterable[str]) -> str | None:
    """The known key that `name` is almost the same as, if any: `attn_config` is no slip of `qat_config`."""
    for found in nearest(name, known):
        ours, theirs = name.split("_"), found.split("_")
        parts_alike = len(ours) != len(theirs) or all(
            _alike(a, b) >= _SLIP_OF_PART for a, b in zip(ours, theirs, strict=True)
        )
        if parts_alike and _alike(name, found) >= _SLIP:
            return found
    return None


def _alike(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other).ratio()


def _closed(section: dict[str, Any], table: dict[str, Any]) -> Table:
    """The keys of a section; a dotted path in its `factory` key hands it on to a class of the user's own."""
    keys, factory, choice = set(section["keys"]), section.get("factory"), section.get("choice")
    if choice is None:
        is_open = factory is not None and "." in str(table.get(factory, ""))
        return Table(frozenset(keys), open=is_open, types=section.get("types", {}))
    chosen = str(table.get(choice["key"]) or choice["default"]).lower()
    every = keys.union(*choice["keys"].values())
    if chosen not in choice["keys"]:
        return Table(frozenset(every))
    keys.update(choice["keys"][chosen])
    return Table(frozenset(keys), refused=frozenset(every - keys), because=f"{choice['key']}: {chosen}")


def _last(dotted: str) -> str:
    return dotted.rpartition(".")[2]
