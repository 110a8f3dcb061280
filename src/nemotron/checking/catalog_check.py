"""All rules over a catalog, or a part of it: every problem at once, sorted. Reads the folders it is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from nemotron.catalog.catalog import Catalog, Step
from nemotron.catalog.types import Types
from nemotron.checking import catalog_rules, catalog_values
from nemotron.checking.catalog_files import StepFiles, pattern_names
from nemotron.checking.catalog_rules import Rule, Scope
from nemotron.diagnostic import Diagnostic, Failure, error

T = TypeVar("T")
RULES: tuple[Rule, ...] = (
    catalog_rules.types_exist,
    catalog_rules.keys_exist,
    catalog_rules.facts_are_known,
    catalog_rules.references_resolve,
    catalog_rules.groups_have_alternatives,
    catalog_rules.patterns_exist,
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
    steps = {identity: _attempt(lambda: catalog.step(identity), found) for identity in chosen}  # noqa: B023
    types = _attempt(lambda: catalog.types, found)
    if types is not None:
        scope = Scope(types, frozenset(pattern_names(catalog.roots)))
        found.extend(p for step in steps.values() if step for p in _check_step(step, scope))
        found.extend(_check_types(catalog, types, steps, part))
    count = len(_types_of(types, part)) if types else 0
    return Checked(len(chosen), count, sorted(dict.fromkeys(found), key=Diagnostic.sort_key))


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


def _check_step(step: Step, scope: Scope) -> list[Diagnostic]:
    files = StepFiles(step)
    return [problem for rule in RULES for problem in rule(files, scope)]


def _check_types(
    catalog: Catalog, types: Types, steps: dict[str, Step | None], part: Path | None
) -> list[Diagnostic]:
    """The types of the part; steps beyond it are read where a type names them."""
    names = _types_of(types, part)
    wanted = {identity for name in names for identity in types[name].convert_to.values()}
    known = dict.fromkeys(catalog.found[0]) | steps
    for identity in wanted & known.keys() - steps.keys():
        known[identity] = _attempt(lambda: catalog.step(identity), [])  # noqa: B023
    return list(catalog_rules.conversions_convert(types, known, names))


def _types_of(types: Types, part: Path | None) -> list[str]:
    return [name for name in types.types if part is None or types.file_of(name).parent == part]


def _attempt(read: Callable[[], T], problems: list[Diagnostic]) -> T | None:
    """What is read, or None, and then the problems are noted."""
    try:
        return read()
    except Failure as failure:
        problems.extend(failure.diagnostics)
        return None
