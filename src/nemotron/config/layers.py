"""The layers of a config: its `defaults:`, the chosen file, what is bound, what the command line says.

Reads YAML files and the environment (through interpolation).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nemotron.catalog.catalog import Step
from nemotron.config.interpolation import interpolate
from nemotron.config.overrides import Override, apply_overrides
from nemotron.config.tree import Document
from nemotron.config.yaml_places import read_yaml
from nemotron.diagnostic import Diagnostic, Failure, Place, error
from nemotron.nearest import did_you_mean

RUN_KEYS = ("gpus", "nodes", "container_image", "env_vars")


@dataclass(frozen=True)
class RunSection:
    """The `run:` section: ours, removed before the backend reads the config."""

    gpus: int | None = None
    nodes: int | None = None
    container_image: str | None = None
    env_vars: dict[str, str] = field(default_factory=dict)


@dataclass
class Config:
    """A resolved config: what the backend reads, our `run:` section, and which files it came from."""

    document: Document
    run: RunSection
    source: Path
    problems: list[Diagnostic]

    @property
    def tree(self) -> dict[str, Any]:
        return self.document.tree


def find_config(step: Step, name: str) -> Path:
    """The file that `-c NAME|PATH` means. Failure NMT201 with the nearest name."""
    shipped = step.config_folder / f"{name}.yaml"
    if "/" not in name and shipped.is_file():
        return shipped
    own = Path("configs") / step.id / f"{name}.yaml"
    if "/" not in name and own.is_file():
        return own.resolve()
    path = Path(name).expanduser()
    if path.suffix in (".yaml", ".yml") and path.is_file():
        return path.resolve()
    known = step.config_names()
    hint = did_you_mean(name, known) or f"the configs are: {', '.join(known)}; or give a path to a .yaml file"
    raise Failure(error("NMT201", f"{step.id} has no config '{name}'", fix=hint))


def read_layers(file: Path, chain: tuple[Path, ...] = ()) -> Document:
    """A config file on top of its `defaults:` (a file name or a list, relative to the file; later wins)."""
    if file in chain:
        cycle = " → ".join(p.name for p in (*chain[chain.index(file) :], file))
        raise Failure(error("NMT203", f"`defaults:` form a cycle: {cycle}", where=Place(str(file), 1, 1)))
    own = read_yaml(file)
    place = own.place("defaults")
    defaults = own.tree.get("defaults")
    own.delete("defaults")
    document = Document()
    for name in defaults if isinstance(defaults, list) else [defaults] if defaults is not None else []:
        parent = (file.parent / str(name)).resolve()
        if not parent.is_file():
            siblings = [p.name for p in file.parent.glob("*.yaml")]
            raise Failure(
                error(
                    "NMT203",
                    f"`defaults:` names '{name}', which is not there",
                    where=place,
                    fix=did_you_mean(str(name), siblings),
                )
            )
        document.merge(read_layers(parent, (*chain, file)))
    document.merge(own)
    return document


def resolve_config(file: Path, overrides: list[Override], bound: dict[str, Any] | None = None) -> Config:
    """All layers together, interpolated. Problems that leave a tree behind are collected, not raised."""
    document = read_layers(file)
    for key, value in (bound or {}).items():
        document.set(key, value, Place(argument=f"{key} (bound by the plan)"))
    apply_overrides(document, overrides)
    problems = interpolate(document)
    run, run_problems = _take_run_section(document)
    problems += run_problems
    return Config(document, run, file, problems)


def _take_run_section(document: Document) -> tuple[RunSection, list[Diagnostic]]:
    section = document.tree.get("run") or {}
    problems: list[Diagnostic] = []
    if not isinstance(section, dict):
        problems.append(error("NMT220", "`run` must be a table", where=document.place("run")))
        section = {}
    for key in section:
        if key not in RUN_KEYS:
            fix = did_you_mean(str(key), RUN_KEYS) or f"known under run: {', '.join(RUN_KEYS)}"
            problems.append(
                error("NMT204", f"unknown key 'run.{key}'", where=document.place(f"run.{key}"), fix=fix)
            )
    for key in ("gpus", "nodes"):
        value = section.get(key)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
            problems.append(
                error(
                    "NMT220",
                    f"run.{key} must be a whole number, not {value!r}",
                    where=document.place(f"run.{key}"),
                )
            )
            section[key] = None
    variables = section.get("env_vars") or {}
    if not isinstance(variables, dict):
        problems.append(
            error(
                "NMT220",
                "run.env_vars must be a table of names and values",
                where=document.place("run.env_vars"),
            )
        )
        variables = {}
    run = RunSection(
        section.get("gpus"),
        section.get("nodes"),
        section.get("container_image"),
        {str(k): str(v) for k, v in variables.items()},
    )
    document.tree.pop("run", None)
    return run, problems
