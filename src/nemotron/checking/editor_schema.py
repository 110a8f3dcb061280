"""What an editor is told of a step's config: its keys, types, choices and limits as a JSON Schema.

Made of the manifest and of what `known_keys` knows; reads the step's shipped configs. A file may hold a part
of the keys (`defaults:` brings the rest), so none is required; null, `???` and `${…}` may stand anywhere.
"""

from __future__ import annotations

import json
import re
from itertools import takewhile
from pathlib import Path
from typing import Any

from nemotron.catalog.catalog import Step
from nemotron.catalog.manifest import Consumes, Parameter
from nemotron.checking.known_keys import KnownKeys
from nemotron.checking.library_schema import TARGET, Table
from nemotron.config.layers import RUN_KEYS, read_layers
from nemotron.config.tree import MISSING, Document, KeyPath, leaves, split_key

DRAFT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]

_TYPES = {
    "string": "string",
    "path": "string",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "list": "array",
    "table": "object",
}
_UNRESOLVED = {"$ref": "#/$defs/unresolved"}
_RUN: dict[str, tuple[Schema, str]] = {
    "gpus": ({"type": "integer", "minimum": 0}, "GPUs in all; 0 runs on the CPU."),
    "nodes": ({"type": "integer", "minimum": 1}, "Machines to spread the GPUs over."),
    "container_image": ({"type": "string"}, "The image that the step runs in on a cluster."),
    "env_vars": ({"type": "object"}, "Variables of the job; never a secret."),
}


def config_schema(step: Step) -> Schema:
    """The schema of the configs of a step."""
    return _Writer(step).schema()


def to_text(schema: Schema) -> str:
    """A schema as its file holds it."""
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


class _Writer:
    """Writes the schema of one step, table by table."""

    def __init__(self, step: Step) -> None:
        manifest = step.manifest
        self._step = step
        self._keys = KnownKeys.of_step(step)
        file = step.config_folder / "default.yaml"
        self._default = read_layers(file) if file.is_file() else Document()
        self._parameters = {split_key(parameter.key): parameter for parameter in manifest.parameters}
        self._inputs = {split_key(port.at): port for port in manifest.consumes}
        self._described = _comments(self._default) | _descriptions(step)

    def schema(self) -> Schema:
        head = self._step.manifest.step
        top = self._table((), self._keys.widest((), self._default.tree) or Table(open=True))
        names = {"type": "string"}
        top["properties"] |= {
            "defaults": {
                "description": "The config, or list of configs, that this one builds on.",
                "anyOf": [names, {"type": "array", "items": names}],
            },
            "run": _run_section(),
        }
        top |= _unless_another_recipe(top, self._keys.recipes)
        about = {"title": f"A config of {head.id}", "description": head.summary}
        return {"$schema": DRAFT, **about, **top, "$defs": _definitions()}

    def _table(self, path: KeyPath, known: Table) -> Schema:
        plain = sorted(key for key in known.keys if "*" not in key)
        patterns = sorted(key for key in known.keys if "*" in key)
        types = known.types
        keys = {key: self._value((*path, key), types.get(key, "")) for key in plain}
        written: Schema = {"type": "object", "properties": keys}
        if patterns:
            written["patternProperties"] = {_expression(k): self._value((*path, k), "") for k in patterns}
        if not known.open:
            written["additionalProperties"] = False
            if path and self._keys.recipes:  # a library's table may name what is made of it
                keys[TARGET] = {}
        return written

    def _value(self, path: KeyPath, wanted: str) -> Schema:
        """What a key may hold; `wanted` is the type that the library names for it, if any."""
        description = self._described.get(path)
        about: Schema = {"description": description} if description else {}
        if (parameter := self._parameters.get(path)) is not None:
            default = {} if parameter.default is None else {"default": parameter.default}
            return {**about, **default, **_or_open(*_of_parameter(parameter))}
        if (port := self._inputs.get(path)) is not None:
            return {**about, **_or_open(*_of_input(port))}
        value = self._default.get(path)
        fixed = isinstance(value, str | int | float) and "${" not in str(value) and value != MISSING
        return {**about, **({"default": value} if fixed else {}), **self._kind(path, wanted)}

    def _kind(self, path: KeyPath, wanted: str) -> Schema:
        """The form of a key that the manifest does not describe; empty where it may hold anything."""
        example = self._default.get(path)
        inner = self._keys.widest(path, example if isinstance(example, dict) else {})
        if inner is not None and not self._keys.takes_anything(path):
            forms = [self._table(path, inner)]
            if isinstance(example, dict) and (closed := self._keys.of_target(path, example)) is not None:
                forms[0] |= _if_target(example[TARGET], closed)
            # A recipe may be named alone, and a table with a target may be one name as well.
            return _or_open(*forms, *([{"type": "string"}] if path == ("recipe",) else []))
        entry = self._keys.widest((*path, 0), {})
        if entry is not None and not self._keys.takes_anything(path):
            return _or_open({"type": "array", "items": self._table((*path, 0), entry)})
        return {"$ref": f"#/$defs/{wanted}"} if wanted in _TYPES else {}


def _comments(default: Document) -> dict[KeyPath, str]:
    """What the default config says of its keys, each at the end of the key's line."""
    lines: dict[str, list[str]] = {}
    said: dict[KeyPath, str] = {}
    for leaf, _ in leaves(default.tree):
        path = tuple(takewhile(lambda part: isinstance(part, str), leaf))
        place = default.place(path)
        if place is None or place.file is None or place.line is None:
            continue
        if place.file not in lines:
            lines[place.file] = Path(place.file).read_text(encoding="utf-8").splitlines()
        if comment := re.search(r"\s#\s+(\S.*)$", lines[place.file][place.line - 1]):
            said[path] = comment[1][0].upper() + comment[1][1:].rstrip(".") + "."
    return said


def _descriptions(step: Step) -> dict[KeyPath, str]:
    """What the manifest says of keys, the most particular last."""
    manifest = step.manifest
    said: dict[KeyPath, str] = {}
    for name, key in manifest.parallelism or ():
        if isinstance(key, str) and name not in ("rules", "model"):
            said[split_key(key)] = f"Of the parallel layout: {name.replace('_', ' ')}."
    for produced in manifest.produces:
        folder = "The folder of the output; a run chooses one where it is null."
        said[split_key(produced.at)] = f"{folder} Holds {produced.type}. {produced.description}".strip()
    said |= {
        split_key(port.at): f"Takes {port.type}. {port.description}".strip() for port in manifest.consumes
    }
    return said | {split_key(p.key): _of_key(p) for p in manifest.parameters}


def _of_key(parameter: Parameter) -> str:
    needed = "Required. " if parameter.required else ""
    less = f" Less than {parameter.less_than}." if parameter.less_than else ""
    return f"{needed}{parameter.description}{less}"


def _of_parameter(parameter: Parameter) -> list[Schema]:
    """The forms of a parameter's value; each entry of a list keeps its choices and limits."""
    limits = {"minimum": _number(parameter.minimum), "maximum": _number(parameter.maximum)}
    single: Schema = {name: limit for name, limit in limits.items() if limit is not None}
    if parameter.choices:
        single = {"enum": list(parameter.choices)}
    elif parameter.type not in ("list", "table"):
        single = {"type": _TYPES[parameter.type], **single}
    if parameter.type in ("list", "table"):
        return [{"type": _TYPES[parameter.type], **({"items": single} if single else {})}]
    return [single, {"type": "array", "items": single}] if parameter.type == "path" else [single]


def _of_input(port: Consumes) -> list[Schema]:
    path = {"type": "string"}
    if not port.many:
        return [path, {"type": "array"}, {"type": "object"}]
    weighted = {
        "type": "object",
        "properties": {"path": path, "weight": {"type": "number"}},
        "required": ["path"],
        "additionalProperties": False,
    }
    return [path, {"type": "array", "items": {"anyOf": [path, weighted]}}, weighted]


def _unless_another_recipe(top: Schema, recipes: frozenset[str]) -> Schema:
    """For a recipe of the library that reads other sections, these are not all that there may be."""
    if not recipes or "*" in recipes or top.pop("additionalProperties", True):
        return {}
    named = "|".join(map(re.escape, sorted(recipes)))
    other = {"type": "string", "not": {"pattern": rf"(^|\.)({named})$|\$\{{"}}
    another = {"anyOf": [other, {"type": "object", "properties": {TARGET: other}, "required": [TARGET]}]}
    known = [{"enum": sorted(top["properties"])}, *({"pattern": p} for p in top.get("patternProperties", ()))]
    return {
        "if": {"properties": {"recipe": another}, "required": ["recipe"]},
        "else": {"propertyNames": {"anyOf": known}},
    }


def _if_target(name: str, closed: Table) -> Schema:
    """With the target of default.yaml, the keywords of that one alone."""
    return {
        "if": {"properties": {TARGET: {"const": name}}, "required": [TARGET]},
        "then": {"propertyNames": {"enum": sorted({TARGET, *closed.keys})}},
    }


def _or_open(*forms: Schema) -> Schema:
    return {"anyOf": [*forms, _UNRESOLVED]}


def _definitions() -> Schema:
    unresolved = {"type": "string", "pattern": r"\$\{|^\?\?\?$"}
    no_value = {"$comment": "No value, ???, or ${…}", "anyOf": [{"type": "null"}, unresolved]}
    return {
        "unresolved": no_value,
        **{name: _or_open({"type": kind}) for name, kind in _TYPES.items() if name != "path"},
    }


def _run_section() -> Schema:
    keys = {name: {"description": _RUN[name][1], **_or_open(_RUN[name][0])} for name in RUN_KEYS}
    return {
        "description": "What the step runs on; the job does not see it.",
        "type": "object",
        "properties": keys,
        "additionalProperties": False,
    }


def _expression(pattern: str) -> str:
    return "^" + ".*".join(re.escape(part) for part in pattern.split("*")) + "$"


def _number(limit: float | None) -> float | int | None:
    return int(limit) if limit is not None and limit == int(limit) else limit
