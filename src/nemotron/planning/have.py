"""What a person has: `[[NAME:]TYPE=]SOURCE` from the command line, recognised. Reads the source."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nemotron.artifacts import megatron
from nemotron.artifacts.detect import candidates
from nemotron.artifacts.facts import facts_on_disk, hub_facts, is_hub_name
from nemotron.artifacts.record import FactValue, read_record
from nemotron.catalog.types import Types
from nemotron.config.tree import MISSING
from nemotron.diagnostic import Failure, Place, blocked, error
from nemotron.nearest import near_file

_HAVE = re.compile(r"(?:(?:(?P<name>[A-Za-z_][\w-]*):)?(?P<type>[a-z][a-z0-9_]*)=)?(?P<source>.+)", re.DOTALL)
_UNSAFE = re.compile(r"[^A-Za-z0-9_]+")
HUB, ENDPOINT = "hub:", "endpoint:"


@dataclass(frozen=True)
class Have:
    """An artifact at hand: where it is, what it is taken for and why, what is known of it.

    Exactly one of `path`, `hub` and `url` is set.
    """

    name: str
    type: str
    path: Path | None = None
    hub: str | None = None
    revision: str | None = None
    url: str | None = None
    model: str | None = None
    api_key_env: str | None = None
    facts: dict[str, FactValue] = field(default_factory=dict)
    why: str = ""

    @property
    def value(self) -> str:
        """What stands in a config for it."""
        return str(self.path) if self.path else self.hub or self.url or ""

    def values(self, at: str) -> dict[str, str]:
        """What it sets in a config whose port is read at `at`; of a service, its model and key too."""
        around = at.rpartition(".")[0]
        told = {"model": self.model, "api_key_env": self.api_key_env}
        beside = {f"{around}.{key}".lstrip("."): value for key, value in told.items() if value is not None}
        return {at: self.value, **beside}

    def as_table(self, folder: Path) -> dict[str, Any]:
        """Its entry in a pipeline file that lies in `folder`."""
        stated = {
            "type": self.type,
            "path": _shown(self.path, folder) if self.path else None,
            "hub": self.hub,
            "revision": self.revision,
            "url": self.url,
            "model": self.model,
            "api_key_env": self.api_key_env,
        }
        return {key: value for key, value in stated.items() if value is not None}


def parse_have(text: str, types: Types) -> Have:
    """One `--have`. Failure NMT105 (no such type), NMT213 (no such path), NMT282 (what is it?), blocked."""
    found = _HAVE.fullmatch(text)
    assert found is not None
    name, kind, source = found["name"], found["type"], found["source"]
    if kind is not None and kind not in types:
        if os.path.exists(text):
            name, kind, source = None, None, text
        else:
            raise Failure(types.unknown(kind, Place(argument=text, column=1, length=len(text))))
    if source.startswith(ENDPOINT):
        return _endpoint(name, source.removeprefix(ENDPOINT), text)
    if source.startswith(HUB) or (is_hub_name(source) and not os.path.exists(source)):
        return _on_hub(name, kind, source.removeprefix(HUB))
    return _on_disk(name, kind, source, text, types)


def have_from_table(name: str, table: dict[str, Any], types: Types, folder: Path) -> Have:
    """An entry of a pipeline file, whose relative paths count from `folder`."""
    path = table.get("path")
    absolute = folder / os.path.expanduser(str(path)) if path is not None else None
    if path == MISSING:
        absolute = Path(MISSING)
    facts = _facts(absolute, str(table["type"])) if absolute is not None and absolute.exists() else {}
    return Have(
        name,
        str(table["type"]),
        path=absolute,
        hub=table.get("hub"),
        revision=table.get("revision"),
        url=table.get("url"),
        model=table.get("model"),
        api_key_env=table.get("api_key_env"),
        facts=facts,
    )


def facts_of(have: Have) -> dict[str, FactValue]:
    """What is known of it; a name on a hub stands for its model, its tokenizer and its chat template."""
    if have.hub is None:
        return have.facts
    return {**hub_facts(have.hub, have.revision), **have.facts}


def _endpoint(name: str | None, rest: str, text: str) -> Have:
    url, *options = rest.split(",")
    stated = dict(option.partition("=")[::2] for option in options)
    if unknown := sorted(stated.keys() - {"model", "api_key_env"}):
        raise Failure(
            error(
                "NMT283",
                f"an endpoint has no '{unknown[0]}'",
                where=Place(argument=text, column=1, length=len(text)),
                fix="endpoint:URL,model=NAME,api_key_env=VARIABLE",
            )
        )
    model, variable = stated.get("model"), stated.get("api_key_env")
    return Have(name or "endpoint", "endpoint", url=url, model=model, api_key_env=variable, why="a service")


def _on_hub(name: str | None, kind: str | None, source: str) -> Have:
    hub, _, revision = source.partition("@")
    why = "your word" if kind else "a name on a hub is taken for a model"
    return Have(
        name or _name_of(hub.split("/")[-1]),
        kind or "checkpoint_hf",
        hub=hub,
        revision=revision or None,
        why=why,
    )


def _on_disk(name: str | None, kind: str | None, source: str, text: str, types: Types) -> Have:
    path = Path(os.path.abspath(os.path.expanduser(source)))
    if not path.exists():
        raise Failure(
            error(
                "NMT213",
                f"{source} does not exist",
                where=Place(argument=text, column=1, length=len(text)),
                fix=near_file(path) or "give a path, hub:ORG/NAME or endpoint:URL",
            )
        )
    called = name or _name_of(path.stem)
    newest = megatron.newest_complete(path) if kind in (None, "checkpoint_megatron") else None
    if newest is not None:
        concluded, why = "checkpoint_megatron", f"its newest complete iteration is {newest.name}"
        return Have(called, concluded, path=newest, facts=_facts(newest, concluded), why=why)
    concluded, why = _conclude(path, text, types) if kind is None else (kind, "your word")
    return Have(called, concluded, path=path, facts=_facts(path, concluded), why=why)


def _conclude(path: Path, text: str, types: Types) -> tuple[str, str]:
    """The type of something on disk, and why: its record says so, or it looks like that and nothing else."""
    record = read_record(path)
    if record is not None and record.type in types:
        return record.type, f"{record.producer.step} made it"
    found = candidates(path, types)
    parents = {parent for kind in found for parent in list(types.ancestors(kind))[1:]}
    found = [kind for kind in found if kind not in parents]
    firm = [kind for kind in found if not types[kind].last_resort] or found
    if len(firm) == 1:
        return firm[0], "it looks like that"
    listed = " or ".join(firm) if firm else "none of the types that are known"
    raise Failure(
        blocked(
            "NMT282",
            f"{path.name} looks like {listed}: say which it is",
            where=Place(argument=text, column=1, length=len(text)),
            fix=f"--have {(firm or ['TYPE'])[0]}={path.name}",
        )
    )


def _facts(path: Path, kind: str) -> dict[str, FactValue]:
    """Facts on disk, and of JSONL what its records hold; a file of the user's own is not split."""
    facts = dict(facts_on_disk(path))
    if not kind.endswith("_jsonl"):
        return facts
    first = _first_record(path)
    for key, record in (
        ("chosen", "preference"),
        ("messages", "messages"),
        ("prompt", "prompt"),
        ("text", "text"),
    ):
        if key in first:
            facts.setdefault("record", record)
            break
    if kind in ("preference_jsonl", "prompt_jsonl"):
        facts.setdefault("splits", "all")
    return facts


def _first_record(path: Path) -> dict[str, Any]:
    file = next(iter(sorted(path.glob("*.jsonl"))), None) if path.is_dir() else path
    try:
        with open(file or path, encoding="utf-8") as stream:
            record = json.loads(next((line for line in stream if line.strip()), "{}"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _name_of(stem: str) -> str:
    """A name that a pipeline file may use."""
    name = _UNSAFE.sub("_", stem).strip("_").lower() or "have"
    return f"_{name}" if name[0].isdigit() else name


def _shown(path: Path, folder: Path) -> str:
    """Relative to the file's folder where it lies below it, as a person would write it."""
    return os.path.relpath(path, folder) if path.is_relative_to(folder) else str(path)
