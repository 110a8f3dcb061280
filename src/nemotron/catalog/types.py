"""Artifact types and facts, `types.toml`: what is accepted where, what is known about what. Pure data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self

from pydantic import model_validator

from nemotron.catalog.manifest import Table
from nemotron.diagnostic import Failure, error
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

    `on_disk` is false for what has no files (an endpoint); `record_keys` are the keys of which each JSONL
    record must have one.
    """

    description: str
    on_disk: bool = True
    record_keys: tuple[str, ...] = ()
    is_a: str | None = None
    where: dict[str, str] = {}
    convert_to: dict[str, str] = {}
    facts: tuple[str, ...] = ()
    detect: tuple[Detect, ...] = ()


class TypesFile(Table):
    """A whole `types.toml`."""

    facts: dict[str, FactType] = {}
    types: dict[str, ArtifactType] = {}

    @model_validator(mode="after")
    def _known_facts(self) -> Self:
        for name, kind in self.types.items():
            if unknown := [fact for fact in kind.facts if self.facts and fact not in self.facts]:
                raise ValueError(f"type {name} names unknown facts: {', '.join(unknown)}")
        return self


class Types:
    """All artifact types of a catalog, with their hierarchy."""

    def __init__(self, types: dict[str, ArtifactType], facts: dict[str, FactType], source: Path) -> None:
        self.types = types
        self.facts = facts
        self.source = source
        for name in types:
            self._check_ancestry(name)

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

    def accepts(self, wanted: str, given: str) -> bool:
        """Whether an artifact of type `given` goes where `wanted` is asked for."""
        return wanted in self.ancestors(given)

    def facts_of(self, name: str) -> set[str]:
        """The facts that artifacts of this type carry, inherited ones included."""
        return {fact for ancestor in self.ancestors(name) for fact in self.types[ancestor].facts}

    def record_keys(self, name: str) -> tuple[str, ...]:
        """The keys of which each record must have one: the type's own, else its parents'."""
        return next((keys for a in self.ancestors(name) if (keys := self.types[a].record_keys)), ())

    def require(self, name: str) -> ArtifactType:
        """The type of that name; Failure NMT105 with the nearest known one."""
        if name not in self.types:
            known = ", ".join(sorted(self.types))
            raise Failure(
                error(
                    "NMT105",
                    f"there is no artifact type '{name}'",
                    fix=did_you_mean(name, self.types) or f"the types are: {known}",
                )
            )
        return self.types[name]

    def _check_ancestry(self, name: str) -> None:
        seen: list[str] = []
        current: str | None = name
        while current is not None:
            if current in seen:
                chain = " is_a ".join([*seen[seen.index(current) :], current])
                raise Failure(error("NMT106", f"artifact types form a cycle: {chain}"))
            if current not in self.types:
                raise Failure(
                    error(
                        "NMT105",
                        f"type '{seen[-1]}' is_a '{current}', which does not exist",
                        fix=did_you_mean(current, self.types),
                    )
                )
            seen.append(current)
            current = self.types[current].is_a
