"""Packs of context: what to read before working with the steps of one kind. Reads their index, no page.

A pack is a page of `references/context/` beside a catalog's folder, and `index.toml` there lists them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from nemotron.catalog.catalog import Step
from nemotron.catalog.manifest import Table
from nemotron.catalog.toml_model import read_toml


class PackTable(Table):
    """An entry of the index: what the pack is about, its page, and the steps that it is written for."""

    topic: str
    file: str
    steps: tuple[str, ...]


class PackIndex(Table):
    """A whole `index.toml`."""

    packs: dict[str, PackTable] = {}


@dataclass(frozen=True)
class Pack:
    """A pack that a step names, by its name and its topic; None is a page that is not there."""

    name: str
    topic: str
    page: Path | None


@dataclass(frozen=True)
class Reading:
    """What to read about steps: the pages that are there, and a warning for each that is not."""

    pages: list[Path]
    warnings: list[str]

    def as_dict(self) -> dict[str, list[str]]:
        return {"read": [str(page) for page in self.pages], "warnings": self.warnings}


def reading_of(steps: Iterable[Step], roots: Iterable[Path]) -> Reading:
    """The packs that the steps name, as what to read. Failure NMT101 to NMT103."""
    packs = packs_of(steps, roots)
    missing = [f"WARNING: {pack.topic} docs unavailable" for pack in packs if pack.page is None]
    return Reading([pack.page for pack in packs if pack.page is not None], missing)


def packs_of(steps: Iterable[Step], roots: Iterable[Path]) -> list[Pack]:
    """The packs that the steps name, each once, in the order of the steps. Failure NMT101 to NMT103."""
    known = _known(roots)
    named = (strategy.context for step in steps for strategy in step.manifest.strategies)
    return [known.get(name, Pack(name, name, None)) for name in dict.fromkeys(named) if name is not None]


def _known(roots: Iterable[Path]) -> dict[str, Pack]:
    """Every pack beside the catalogs; of two with one name, the one of the first catalog."""
    found: dict[str, Pack] = {}
    for root in roots:
        folder = root.parent / "references" / "context"
        index = folder / "index.toml"
        for name, table in read_toml(index, PackIndex).packs.items() if index.is_file() else ():
            page = folder / table.file
            found.setdefault(name, Pack(name, table.topic, page if page.is_file() else None))
    return found
