"""Artifact types and facts, `types.toml`: what is accepted where, what is known about what. Pure data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from nemotron.catalog.manifest import Table
from nemotron.catalog.toml_places import find_place
from nemotron.diagnostic import Diagnostic, Failure, Place, error
from nemotron.nearest import did_you_mean


class Detect(Table):
    """One way to recognise a type on disk: a file or folder name, and what is inside."""

    file: str | None = None
    dir: bool = False
    glob: str | None = None
    json_keys: tuple[str, ...] = ()
    parquet_columns: tuple[str, ...] = ()
    contains: str | None = None


class FactType(Table):
    """What a fact is: how its value is read from a config key or an artifact."""

    kind: Literal["tokenizer", "chat_template", "model", "integer", "name"]
    description: str


class ArtifactType(Table):
    """A kind of artifact. `is_a` names the parent where this one is accepted too.

    `where` are facts that it must not differ from for that; `also` maps further types that it is accepted as
    to the facts that must be known of it. `on_disk` is false for what has no files (an endpoint);
    `record_keys` are the keys of which each JSONL record must have one. What looks like a `last_resort` type
    and like another one is taken for the other.
    """

    description: str
    on_disk: bool = True
    record_keys: tuple[str, ...] = ()
    last_resort: bool = False
    is_a: str | None = None
    where: dict[str, str] = {}
    also: dict[str, dict[str, str]] = {}
    convert_to: dict[str, str] = {}
    facts: tuple[str, ...] = ()
    detect: tuple[Detect, ...] = ()


class TypesFile(Table):
    """A whole `types.toml`."""

    facts: dict[str, FactType] = {}
    types: dict[str, ArtifactType] = {}


class Types:
    """All artifact types of a catalog, with their hierarchy.

    `files` says which types.toml a type stands in, where that is not `source`. Failure with every problem:
    NMT103 for an unknown fact, NMT105 for an unknown parent, NMT106 for a cycle.
    """

    def __init__(
        self,
        types: dict[str, ArtifactType],
        facts: dict[str, FactType],
        source: Path,
        files: dict[str, Path] | None = None,
    ) -> None:
        self.types = types
        self.facts = facts
        self.source = source
        self._files = files or {}
        if problems := [problem for name in types for problem in self._problems(name)]:
            raise Failure(problems)

    def __contains__(self, name: str) -> bool:
        return name in self.types

    def __getitem__(self, name: str) -> ArtifactType:
        return self.types[name]

    def ancestors(self, name: str) -> Iterator[str]:
        """The type itself, then its parents upwards."""
        current: str | None = name
        while current is not None:
            yield current
            current = self.types[current].is_a

    def conditions(self, name: str) -> dict[str, dict[str, str]]:
        """The types that this one, or a parent, is also accepted as, with the facts that it takes."""
        return {
            other: facts for kind in self.ancestors(name) for other, facts in self.types[kind].also.items()
        }

    def accepts(self, wanted: str, given: str) -> bool:
        """Whether an artifact of type `given` goes where `wanted` is asked for."""
        return wanted in self.ancestors(given) or wanted in self.conditions(given)

    def facts_of(self, name: str) -> set[str]:
        """The facts that artifacts of this type carry, inherited ones included."""
        return {fact for ancestor in self.ancestors(name) for fact in self.types[ancestor].facts}

    def record_keys(self, name: str) -> tuple[str, ...]:
        """The keys of which each record must have one: the type's own, else its parents'."""
        return next((keys for a in self.ancestors(name) if (keys := self.types[a].record_keys)), ())

    def file_of(self, name: str) -> Path:
        """The types.toml that a type stands in."""
        return self._files.get(name, self.source)

    def require(self, name: str) -> ArtifactType:
        """The type of that name; Failure NMT105 with the nearest known one."""
        if name not in self.types:
            raise Failure(self.unknown(name))
        return self.types[name]

    def unknown(self, name: str, where: Place | None = None) -> Diagnostic:
        """NMT105 for a name that is no type's."""
        fix = did_you_mean(name, self.types) or f"the types are: {', '.join(sorted(self.types))}"
        return error("NMT105", f"there is no artifact type '{name}'", where=where, fix=fix)

    def _problems(self, name: str) -> Iterator[Diagnostic]:
        kind = self.types[name]
        named = {fact: "also" for conditions in kind.also.values() for fact in conditions}
        named |= dict.fromkeys(kind.where, "where") | dict.fromkeys(kind.facts, "facts")
        for fact, key in named.items():
            if fact not in self.facts:
                where = self.place(name, key)
                yield error(
                    "NMT103",
                    f"type '{name}' names the unknown fact '{fact}'",
                    where=where,
                    fix=did_you_mean(fact, self.facts),
                )
        parents = [kind.is_a] if kind.is_a else []
        for key, verb, others in (("is_a", "is_a", parents), ("also", "is also", [*kind.also])):
            for other in others:
                if other not in self.types:
                    yield error(
                        "NMT105",
                        f"type '{name}' {verb} '{other}', which does not exist",
                        where=self.place(name, key),
                        fix=did_you_mean(other, self.types),
                    )
        cycle = self._cycle(name)
        if cycle and name == min(cycle):
            chain = " is_a ".join([*cycle, name])
            where = self.place(name, "is_a")
            yield error("NMT106", f"artifact types form a cycle: {chain}", where=where)

    def _cycle(self, name: str) -> list[str]:
        """The types from `name` upwards until it comes again; empty when it does not."""
        chain = [name]
        while (parent := self.types[chain[-1]].is_a) in self.types and parent not in chain:
            chain.append(parent)
        return chain if parent == name else []

    def place(self, name: str, key: str) -> Place | None:
        """Where a key of a type stands in its types.toml."""
        file = self.file_of(name)
        return find_place(file, ("types", name, key)) if file.is_file() else None
