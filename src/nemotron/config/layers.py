"""The layers of a config: its `defaults:`, the chosen file, what is bound, what the command line says.

Reads YAML files and the environment (through interpolation).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nemotron.catalog.catalog import Step
from nemotron.config.interpolation import interpolate, references
from nemotron.config.overrides import Override, apply_overrides
from nemotron.config.tree import MISSING, Document, KeyPath, join_key
from nemotron.config.yaml_places import read_yaml
from nemotron.diagnostic import Diagnostic, Failure, Place, blocked, error
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
    """A resolved config: what the backend reads, our `run:` section, and the file it came from.

    `following` are the paths of values that are missing only because they refer to one that is; `refers`
    maps the path of a value that is wholly a reference to the key that it refers to.
    """

    document: Document
    run: RunSection
    source: Path
    problems: list[Diagnostic]
    following: set[KeyPath] = field(default_factory=set)
    refers: dict[KeyPath, str] = field(default_factory=dict)

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
    chain = (*chain, file.resolve())
    own = read_yaml(file)
    place = own.place("defaults")
    defaults = own.tree.get("defaults")
    own.delete("defaults")
    document = Document()
    for name in defaults if isinstance(defaults, list) else [defaults] if defaults is not None else []:
        parent = (file.parent / str(name)).resolve()
        problem, fix = "", ""
        if parent in chain:
            cycle = " → ".join(p.name for p in (*chain[chain.index(parent) :], parent))
            problem, fix = f"`defaults:` form a cycle: {cycle}", "take one of them out"
        elif not parent.is_file():
            problem = f"`defaults:` names '{name}', which is not there"
            fix = did_you_mean(str(name), [p.name for p in file.parent.glob("*.yaml")])
        if problem:
            raise Failure(error("NMT203", problem, where=place, fix=fix))
        document.merge(read_layers(parent, chain))
    document.merge(own)
    return document


def resolve_config(
    file: Path,
    overrides: list[Override],
    bound: dict[str, Any] | None = None,
    places: dict[str, Place] | None = None,
) -> Config:
    """All layers together, interpolated. Problems that leave a tree behind are collected, not raised.

    `bound` are keys that a plan sets (`~key` deletes one), and `places` where it says so.
    """
    _refuse_defaults(overrides)
    document = read_layers(file)
    for key, value in (bound or {}).items():
        if key.startswith("~"):
            document.delete(key[1:])
            continue
        document.set(key, value, (places or {}).get(key) or Place(argument=f"{key} (bound by the plan)"))
    apply_overrides(document, overrides)
    refers = references(document)
    problems, following = interpolate(document)
    run, run_problems = _take_run_section(document)
    return Config(document, run, file, problems + run_problems, following, refers)


def _refuse_defaults(overrides: list[Override]) -> None:
    """The layers below a config are what its file says: an argument comes too late to change them."""
    for override in overrides:
        if override.key.split(".")[0] == "defaults":
            fix = "choose a config with -c, or write `defaults:` into a file"
            summary = "`defaults` cannot be set by an argument"
            raise Failure(error("NMT205", summary, where=override.place, fix=fix))


def _take_run_section(document: Document) -> tuple[RunSection, list[Diagnostic]]:
    section = document.tree.pop("run", None)
    if section is None:
        return RunSection(), []
    if not isinstance(section, dict):
        return RunSection(), [error("NMT220", "`run` must be a table", where=document.place(("run",)))]
    problems = [_unknown_run_key(document, key) for key in section if key not in RUN_KEYS]
    counts: dict[str, int] = {}
    for key in ("gpus", "nodes"):
        value, least = section.get(key), 0 if key == "gpus" else 1
        if isinstance(value, int) and not isinstance(value, bool) and value >= least:
            counts[key] = value
        elif value is not None:
            wanted = f"a whole number from {least}"
            problems.append(_wrong_run_value(document, ("run", key), wanted, value))
    image = section.get("container_image")
    if image is not None and not isinstance(image, str):
        problems.append(_wrong_run_value(document, ("run", "container_image"), "a string", image))
        image = None
    variables, variable_problems = _variables(document, section.get("env_vars"))
    run = RunSection(counts.get("gpus"), counts.get("nodes"), image, variables)
    return run, problems + variable_problems


def _variables(document: Document, table: Any) -> tuple[dict[str, str], list[Diagnostic]]:
    """The variables as a process gets them: a boolean as `true` or `false`; a null one is not set."""
    path: KeyPath = ("run", "env_vars")
    if table is None:
        return {}, []
    if not isinstance(table, dict):
        return {}, [_wrong_run_value(document, path, "a table of names and values", table)]
    variables: dict[str, str] = {}
    problems: list[Diagnostic] = []
    for name, value in table.items():
        if isinstance(value, dict | list):
            problems.append(_wrong_run_value(document, (*path, name), "a string or a number", value))
        elif value is not None:
            variables[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return variables, problems


def _unknown_run_key(document: Document, key: str) -> Diagnostic:
    fix = did_you_mean(key, RUN_KEYS) or f"known under run: {', '.join(RUN_KEYS)}"
    return error("NMT204", f"unknown key 'run.{key}'", where=document.place(("run", key)), fix=fix)


def _wrong_run_value(document: Document, path: KeyPath, wanted: str, value: Any) -> Diagnostic:
    key, where = join_key(path), document.place(path)
    if value == MISSING:
        return blocked("NMT208", f"'{key}' needs a value", where=where, fix=f"add {key}=VALUE")
    return error("NMT220", f"'{key}' must be {wanted}, not {value!r}", where=where)
