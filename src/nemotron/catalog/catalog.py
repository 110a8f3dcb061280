"""Finding steps: the checkout's `steps/`, the installed wheel's copy, and `NEMOTRON_STEPS_PATH`.

A step is a folder with a `step.toml`; its id is its path below the catalog's root. Manifests are parsed
when they are asked for, so that running one step does not read the others.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from nemotron.catalog.summary import StepSummary, config_names, read_summary
from nemotron.diagnostic import Diagnostic, Failure, Place, Related, error
from nemotron.nearest import nearest

if TYPE_CHECKING:
    from nemotron.catalog.manifest import Consumes, Manifest, Produces
    from nemotron.catalog.types import Types

_PACKAGE = Path(__file__).resolve().parent.parent
_SKIPPED = {"patterns", "config", "__pycache__"}


@dataclass(frozen=True)
class Step:
    """A step of the catalog: its manifest and the folder that it lies in."""

    manifest: Manifest
    folder: Path

    @property
    def id(self) -> str:
        return self.manifest.step.id

    @property
    def category(self) -> str:
        return self.id.split("/")[0]

    @property
    def program(self) -> Path:
        """What a job runs."""
        return self.folder / "step.py"

    @property
    def config_folder(self) -> Path:
        return self.folder / "config"

    def config_names(self) -> list[str]:
        """The names that `-c` takes, `default` first."""
        return config_names(self.config_folder)

    def names_in(self, file: str) -> list[str]:
        """The names in a file of the step's folder: a line each, without comments. Empty where it is none."""
        try:
            lines = (self.folder / file).read_text(encoding="utf-8").splitlines()
        except OSError:
            return []
        return [line for line in lines if line and not line.startswith("#")]

    def consumes(self, port: str) -> Consumes:
        return next(p for p in self.manifest.consumes if p.name == port)

    def produces(self, port: str) -> Produces:
        return next(p for p in self.manifest.produces if p.name == port)


class Catalog:
    """The steps and types below one or several roots."""

    def __init__(self, roots: list[Path]) -> None:
        self.roots = roots
        self._parsed: dict[str, Step] = {}

    @property
    def folders(self) -> dict[str, Path]:
        """Step id → folder. Failure NMT104 for an id that is there twice, NMT108 for no category."""
        found, problems = self.found
        if problems:
            raise Failure(problems)
        return found

    @cached_property
    def found(self) -> tuple[dict[str, Path], list[Diagnostic]]:
        """Step id → folder, the first of each id, and what is wrong with the others."""
        found: dict[str, Path] = {}
        problems: list[Diagnostic] = []
        for root in self.roots:
            for manifest in _manifests(root):
                identity = manifest.parent.relative_to(root).as_posix()
                if "/" not in identity:
                    problems.append(_not_in_a_category(manifest))
                elif identity in found:
                    problems.append(_duplicate(identity, found[identity] / "step.toml", manifest))
                found.setdefault(identity, manifest.parent)
        return dict(sorted(found.items())), problems

    @cached_property
    def types(self) -> Types:
        """Every root's types.toml together; a later root may add types, not change one."""
        from nemotron.catalog.toml_model import read_toml
        from nemotron.catalog.types import Types, TypesFile

        merged = TypesFile()
        files: dict[str, Path] = {}
        for root in self.roots:
            if (file := root / "types.toml").is_file():
                read = read_toml(file, TypesFile)
                files = {**dict.fromkeys(read.types, file), **files}
                merged = TypesFile(facts={**read.facts, **merged.facts}, types={**read.types, **merged.types})
        return Types(merged.types, merged.facts, self.roots[0] / "types.toml", files)

    def step(self, identity: str) -> Step:
        """The step with exactly this id, parsed."""
        if identity not in self._parsed:
            self._parsed[identity] = _read_step(identity, self.found[0][identity])
        return self._parsed[identity]

    def steps(self) -> tuple[list[Step], list[Diagnostic]]:
        """Every step that parses, and what is wrong with the others."""
        steps: list[Step] = []
        problems: list[Diagnostic] = []
        for identity in self.folders:
            try:
                steps.append(self.step(identity))
            except Failure as failure:
                problems.extend(failure.diagnostics)
        return steps, problems

    def summaries(self) -> tuple[list[StepSummary], list[Diagnostic]]:
        """What a listing says of every step, and what is wrong with those that cannot be listed."""
        summaries: list[StepSummary] = []
        problems: list[Diagnostic] = []
        for identity, folder in self.folders.items():
            summary = read_summary(identity, folder)
            if summary is not None:
                summaries.append(summary)
                continue
            try:
                self.step(identity)
            except Failure as failure:
                problems.extend(failure.diagnostics)
        return summaries, problems

    def find(self, name: str) -> Step:
        """The step that `name` means: an id or an unambiguous tail of one. Failure NMT110 or NMT111."""
        name = name.strip("/")
        if name in self.folders:
            return self.step(name)
        matches = [i for i in self.folders if i.endswith("/" + name) or name in i.split("/")]
        if len(matches) == 1:
            return self.step(matches[0])
        if matches:
            raise Failure(error("NMT111", f"'{name}' is ambiguous", fix="one of: " + ", ".join(matches)))
        close = nearest(name, [*self.folders, *(i.split("/", 1)[-1] for i in self.folders)], count=3)
        close = list(dict.fromkeys(i for c in close for i in self.folders if i == c or i.endswith("/" + c)))
        hint = f"did you mean {' or '.join(close)}?" if close else "`nemotron steps list` shows them all"
        raise Failure(error("NMT110", f"there is no step '{name}'", fix=hint))


def default_catalog() -> Catalog:
    """The catalog that the command line uses."""
    checkout = _PACKAGE.parent.parent / "steps"
    own = checkout if (checkout / "types.toml").is_file() else _PACKAGE / "_catalog"
    further = [Path(p) for p in os.environ.get("NEMOTRON_STEPS_PATH", "").split(os.pathsep) if p]
    for folder in further:
        if not folder.is_dir():
            raise Failure(
                error(
                    "NMT107",
                    f"NEMOTRON_STEPS_PATH names {folder}, which is not a folder",
                    fix="correct or unset NEMOTRON_STEPS_PATH",
                )
            )
    return Catalog([own, *(folder.resolve() for folder in further)])


def is_shipped(folder: Path) -> bool:
    """Whether a step's folder is part of an installed package, where nothing of the user's is written."""
    return (_PACKAGE / "_catalog") in folder.parents


def _manifests(root: Path) -> list[Path]:
    """Every step.toml below `root`; a step's own folder is not searched further."""
    found: list[Path] = []
    pending = [root]
    seen: set[str] = set()  # a link may lead back to a folder above it
    while pending:
        folder = pending.pop()
        if (real := os.path.realpath(folder)) in seen:
            continue
        seen.add(real)
        with os.scandir(folder) as entries:
            children = list(entries)
        if any(e.name == "step.toml" for e in children):
            found.append(folder / "step.toml")
            continue
        pending += [
            folder / e.name
            for e in children
            if e.is_dir() and e.name not in _SKIPPED and not e.name.startswith(".")
        ]
    return sorted(found)


def _read_step(identity: str, folder: Path) -> Step:
    from nemotron.catalog.manifest import Manifest
    from nemotron.catalog.toml_model import read_toml
    from nemotron.catalog.toml_places import find_place

    file = folder / "step.toml"
    manifest = read_toml(file, Manifest)
    if manifest.step.id != identity:
        raise Failure(
            error(
                "NMT108",
                f"step.id is '{manifest.step.id}', but its folder is '{identity}'",
                where=find_place(file, ("step", "id")),
                fix=f'id = "{identity}"',
            )
        )
    return Step(manifest, folder)


def _not_in_a_category(manifest: Path) -> Diagnostic:
    return error(
        "NMT108",
        "a step lies two folders below the root of its catalog, in CATEGORY/STEP",
        where=Place(str(manifest), 1, 1),
        fix="move its folder into the folder of a category, or correct NEMOTRON_STEPS_PATH",
    )


def _duplicate(identity: str, first: Path, second: Path) -> Diagnostic:
    return error(
        "NMT104",
        f"two steps have the id '{identity}'",
        where=Place(str(second), 1, 1),
        related=(Related(Place(str(first), 1, 1), "the other one"),),
        fix="rename one of the two folders",
    )
