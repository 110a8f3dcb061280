"""One step of a run, bound: its resolved config, the artifacts on its inputs, where its outputs go.

Reads the artifacts' records and facts. Makes paths absolute, so that the job may run in any folder. An input
may also be promised: what another step of the same plan will make.
"""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from nemotron.artifacts import megatron
from nemotron.artifacts.facts import facts_on_disk, hub_facts, hub_identity, input_digest, is_hub_name
from nemotron.artifacts.record import Artifact, FactValue, read_record
from nemotron.catalog.catalog import Step
from nemotron.catalog.manifest import Consumes, Produces
from nemotron.catalog.types import Types
from nemotron.config.layers import Config
from nemotron.config.overrides import Override
from nemotron.config.tree import MISSING, KeyPath, split_key
from nemotron.diagnostic import Place
from nemotron.hardware.shapes import shape_of
from nemotron.profiles.profile import Profile


@dataclass(frozen=True)
class Promise:
    """What an output of another step will be: its type, and the facts that are known before it is made.

    `shaped_like` is a model, a name or a folder, that has the sizes of this one.
    """

    type: str
    facts: dict[str, FactValue]
    shaped_like: str | None = None


Promises = dict[str, Promise]  # by the value that stands for the output in a config: `step:NAME.PORT`


@dataclass
class Source:
    """One thing bound to a port: a path on this machine, a name on a hub, a promise, or a service."""

    key: KeyPath
    value: str
    path: Path | None = None
    hub: str | None = None
    promise: Promise | None = None

    @property
    def exists(self) -> bool:
        # os.path, as pathlib takes a name that is too long ill.
        return self.path is not None and os.path.exists(self.path)

    @property
    def files(self) -> list[Path]:
        """What the path means: itself, or what its wildcard matches."""
        if self.path is None:
            return []
        if self.exists:
            return [self.path]
        matches = sorted(glob.glob(str(self.path), recursive=True))
        return [Path(match) for match in matches if os.path.exists(match)]

    def record(self) -> Artifact | None:
        return read_record(self.path) if self.exists and self.path else None

    def facts(self) -> dict[str, FactValue]:
        """What is known of it; read once, as the digest of a large tokenizer takes half a second."""
        return self._facts

    @cached_property
    def _facts(self) -> dict[str, FactValue]:
        if self.promise is not None:
            return self.promise.facts
        return facts_on_disk(self.path) if self.exists and self.path else {}

    def digest(self) -> str:
        """What stands for this source in a key."""
        if self.hub is not None:
            return hub_identity(self.hub)
        files = self.files
        if len(files) == 1:
            return input_digest(files[0])
        return " ".join(input_digest(f) for f in files) or self.value


@dataclass
class BoundInput:
    """A port of the step and what is bound to it."""

    port: Consumes
    sources: list[Source]

    def fact(self, name: str) -> FactValue | None:
        """What the sources agree on about one fact; a hub's name stands for its model and its tokenizer."""
        values = {v for s in self.sources if (v := self.fact_of(s, name)) is not None}
        return values.pop() if len(values) == 1 else None

    def fact_of(self, source: Source, name: str) -> FactValue | None:
        """What one of the sources says about a fact; the sizes of a public model are known by its name."""
        if source.hub is None:
            return source.facts().get(name)
        if (stated := hub_facts(source.hub).get(name)) is not None:
            return stated
        sizes = {"vocab_size": "vocab", "max_positions": "max_positions"}
        return getattr(shape_of(source.hub), sizes[name], None) if name in sizes else None


@dataclass
class StepRequest:
    """A step that is asked for: everything that checking and running need to know.

    Without a profile it runs on this machine. `gpu` is the kind of GPU that a pipeline file names,
    `gpus_at` where it says how many the step gets.
    """

    name: str
    step: Step
    types: Types
    config: Config
    config_name: str
    inputs: list[BoundInput]
    gpus: int
    nodes: int
    overrides: list[Override] = field(default_factory=list)
    promises: Promises = field(default_factory=dict)
    profile: Profile | None = None
    gpu: str | None = None
    gpus_at: Place | None = None

    @property
    def is_local(self) -> bool:
        """Whether the job runs on this machine."""
        return self.profile is None or self.profile.is_local

    @property
    def library(self) -> str | None:
        """The library that the job runs under."""
        return self.step.manifest.library_with(self.config.document.get)

    def input(self, port: str) -> BoundInput | None:
        return next((bound for bound in self.inputs if bound.port.name == port), None)

    def named_outputs(self) -> dict[str, Path]:
        """The output folders that the user or the config named: config key → absolute path."""
        keys = dict.fromkeys(port.at for port in self.step.manifest.produces)
        named = {key: self.config.document.get(key) for key in keys}
        return {
            key: Path(value)
            for key, value in named.items()
            if isinstance(value, str) and value not in ("", MISSING)
        }


def bind(
    step: Step,
    types: Types,
    config: Config,
    config_name: str,
    *,
    gpus: int,
    nodes: int,
    overrides: list[Override],
    promises: Promises | None = None,
) -> StepRequest:
    """Bind a resolved config to the artifacts that it names; makes the paths in the config absolute."""
    _unset_alternatives(step, config)
    promised = promises or {}
    inputs = []
    for port in step.manifest.consumes:
        sources = _sources(port, types, config, promised)
        if sources:
            inputs.append(BoundInput(port, sources))
    _absolute_paths(step, types, config, promised)
    return StepRequest(step.id, step, types, config, config_name, inputs, gpus, nodes, overrides, promised)


def is_local_path(value: Any) -> bool:
    return (
        isinstance(value, str)
        and value not in ("", MISSING)
        and "://" not in value
        and not is_hub_name(value)
    )


def _sources(port: Consumes, types: Types, config: Config, promises: Promises) -> list[Source]:
    value = config.document.get(port.at)
    path = split_key(port.at)
    items = (
        [((*path, i), item) for i, item in enumerate(value)] if isinstance(value, list) else [(path, value)]
    )
    found = (_source(item, key, port, types, config, promises) for key, item in items)
    return [source for source in found if source is not None]


def _source(
    value: Any, key: KeyPath, port: Consumes, types: Types, config: Config, promises: Promises
) -> Source | None:
    if isinstance(value, dict):
        return _source(value.get("path"), (*key, "path"), port, types, config, promises)
    if not isinstance(value, str) or value in ("", MISSING):
        return None
    if value in promises:
        return Source(key, value, promise=promises[value])
    if port.type in types and not types[port.type].on_disk:
        return Source(key, value)
    if not is_local_path(value):
        return Source(key, value, hub=value)
    path = _absolute(value)
    if port.newest_if and config.document.get(port.newest_if) == "latest":
        path = megatron.newest_complete(path) or path
    _assign(config.tree, key, str(path))
    return Source(key, value, path=path)


def _unset_alternatives(step: Step, config: Config) -> None:
    """Of a group of which one port is given, the others' `???` ask for nothing."""
    for port in step.manifest.consumes:
        group = [p for p in step.manifest.consumes if port.one_of and p.one_of == port.one_of]
        given = [p for p in group if config.document.get(p.at) not in (None, "", MISSING)]
        place = config.document.place(port.at)
        if given and port not in given and config.document.get(port.at) == MISSING and place is not None:
            config.document.set(port.at, None, place)


def _absolute_paths(step: Step, types: Types, config: Config, promises: Promises) -> None:
    """An output is always a path, though `output/sft` reads like a name on a hub."""
    outputs = {port.at for port in step.manifest.produces}
    paths = {p.key for p in step.manifest.parameters if p.type == "path"}
    for key in sorted(outputs | paths):
        value = config.document.get(key)
        if isinstance(value, list):
            value[:] = [str(_absolute(v)) if is_local_path(v) and v not in promises else v for v in value]
        elif isinstance(value, str) and value in promises:
            continue
        elif is_local_path(value) or (key in outputs and isinstance(value, str) and is_hub_name(value)):
            _assign(config.tree, split_key(key), str(_absolute(value)))
    for key in fact_keys(step, types):
        value = config.document.get(key)
        if is_local_path(value) and value not in promises and os.path.exists(_absolute(value)):
            _assign(config.tree, split_key(key), str(_absolute(value)))


def fact_keys(step: Step, types: Types) -> set[str]:
    """The config keys that state a fact by what lies at a path: a tokenizer's folder, a template's file."""
    ports: tuple[Consumes | Produces, ...] = (*step.manifest.consumes, *step.manifest.produces)
    rules = [
        rule
        for port in ports
        for name, rule in port.facts.items()
        if name in types.facts and types.facts[name].kind not in ("integer", "name")
    ]
    return {key for rule in rules for key in (*rule.keys, *([rule.unless] if rule.unless else []))}


def _absolute(value: str) -> Path:
    """Absolute, but links are kept: the name that the user gave is the one that messages show."""
    return Path.cwd() / os.path.expanduser(value)


def _assign(tree: Any, path: KeyPath, value: Any) -> None:
    for part in path[:-1]:
        tree = tree[part]
    tree[path[-1]] = value
