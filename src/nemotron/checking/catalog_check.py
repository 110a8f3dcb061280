"""All rules over a catalog, or a part of it: every problem at once, sorted. Reads the folders it is given."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from nemotron.catalog.catalog import Catalog, Step
from nemotron.checking import catalog_rules, catalog_values
from nemotron.checking.catalog_files import StepFiles, pattern_names
from nemotron.checking.catalog_rules import Rule, Scope
from nemotron.diagnostic import Diagnostic, Failure, error

T = TypeVar("T")
# Steps that are checked at a time; up to this many, starting further processes does not pay.
_BATCH = 50
RULES: tuple[Rule, ...] = (
    catalog_rules.types_exist,
    catalog_rules.keys_exist,
    catalog_rules.facts_are_known,
    catalog_rules.references_resolve,
    catalog_rules.groups_have_alternatives,
    catalog_rules.patterns_exist,
    catalog_rules.lists_of_names_are_there,
    catalog_rules.folder_is_complete,
    catalog_values.defaults_hold,
    catalog_values.messages_are_expressions,
    catalog_values.conditions_parse,
    catalog_values.models_are_told_apart,
)


@dataclass(frozen=True)
class Checked:
    """How much of a catalog was checked, and every problem of it."""

    steps: int
    types: int
    diagnostics: list[Diagnostic]


def check_catalog(catalog: Catalog, part: Path | None = None) -> Checked:
    """Check a catalog; of `part`, only what lies in that root, or that step's folder.

    The types of all roots apply. A problem of a types.toml that leaves no types behind ends the check.
    """
    folders, problems = catalog.found
    found = list(problems)
    chosen = [i for i, folder in folders.items() if part is None or part in (folder, *folder.parents)]
    types = _attempt(lambda: catalog.types, found)
    names = [n for n in types.types if part is None or types.file_of(n).parent == part] if types else []
    scope = Scope(types, frozenset(pattern_names(catalog.roots))) if types else None
    found.extend(p for batch in _in_batches(_Work(catalog, scope), chosen) for p in batch)
    if types is not None:
        found.extend(catalog_rules.conversions_convert(types, _Steps(catalog), names))
    return Checked(len(chosen), len(names), sorted(dict.fromkeys(found), key=Diagnostic.sort_key))


def catalog_of(path: Path, default: Catalog) -> Catalog:
    """The catalog that a path belongs to: the default one where it lies in that, else both together.

    Failure NMT110 when there is no step at or below the path.
    """
    if not path.is_dir() or not any(path.glob("**/step.toml")):
        summary = f"there is no step in {path}"
        raise Failure(error("NMT110", summary, fix="give the root of a catalog, or the folder of a step"))
    root = _root_of(path)
    return default if root in default.roots else Catalog([*default.roots, root])


def _root_of(path: Path) -> Path:
    """The root above a step's folder: as far up as the id in its manifest, or a types.toml, says."""
    if not (path / "step.toml").is_file():
        return path
    for above in path.parents:
        if (above / "types.toml").is_file():
            return above
    return path.parents[_depth(path)]


def _depth(folder: Path) -> int:
    """How many folders a step's id has after the first."""
    import tomllib

    try:
        identity = str(tomllib.loads((folder / "step.toml").read_text(encoding="utf-8"))["step"]["id"])
    except (OSError, ValueError, LookupError, TypeError):
        return 1
    fits = folder.as_posix().endswith("/" + identity)
    return identity.count("/") if fits and "/" in identity else 1


@dataclass(frozen=True)
class _Work:
    """What checking a batch of steps takes. Without a scope, it is checked only whether manifests parse."""

    catalog: Catalog
    scope: Scope | None

    def __call__(self, identities: Sequence[str]) -> list[Diagnostic]:
        found: list[Diagnostic] = []
        for identity in identities:
            try:
                files = StepFiles(self.catalog.step(identity))
            except Failure as failure:
                found.extend(failure.diagnostics)
                continue
            if self.scope is not None:
                found.extend(problem for rule in RULES for problem in rule(files, self.scope))
        return found


def _in_batches(work: _Work, identities: list[str]) -> Iterable[list[Diagnostic]]:
    """The problems of all steps. Many are checked in processes side by side: most of it is reading TOML."""
    batches = [identities[i : i + _BATCH] for i in range(0, len(identities), _BATCH)]
    processes = min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1, len(batches))
    if processes < 2:
        return map(work, batches)
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(processes, get_context("fork")) as pool:
        return list(pool.map(work, batches))


class _Steps(Mapping[str, Step | None]):
    """The steps of a catalog, each read when it is asked for; None where it does not parse."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def __getitem__(self, identity: str) -> Step | None:
        if identity not in self._catalog.found[0]:
            raise KeyError(identity)
        return _attempt(lambda: self._catalog.step(identity), [])

    def __contains__(self, identity: object) -> bool:
        return identity in self._catalog.found[0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._catalog.found[0])

    def __len__(self) -> int:
        return len(self._catalog.found[0])


def _attempt(read: Callable[[], T], problems: list[Diagnostic]) -> T | None:
    """What is read, or None, and then the problems are noted."""
    try:
        return read()
    except Failure as failure:
        problems.extend(failure.diagnostics)
        return None
