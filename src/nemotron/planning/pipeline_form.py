"""The form of a pipeline file: its keys, the kinds of its values, its names. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from nemotron.catalog.types import Types
from nemotron.config.tree import MISSING, Document, KeyPath
from nemotron.diagnostic import Diagnostic, error
from nemotron.nearest import did_you_mean

TOP = ("version", "want", "have", "hardware", "steps")
HAVE = ("type", "path", "hub", "revision", "url", "model", "api_key_env")
HARDWARE = ("gpu", "nodes", "gpus_per_node")
STEP = ("step", "config", "inputs", "set", "gpus", "nodes", "profile")
_KINDS: tuple[tuple[str, type, str], ...] = (
    ("inputs", dict, "a table"),
    ("set", dict, "a table"),
    ("gpus", int, "a whole number"),
    ("nodes", int, "a whole number"),
    ("profile", str, "the name of a profile"),
)
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def form_problems(document: Document, types: Types) -> list[Diagnostic]:
    """Everything that is wrong with the form, NMT105 and NMT270 to NMT273."""
    return [*_unknown_keys(document), *_wrong_values(document, types)]


def _unknown_keys(document: Document) -> Iterator[Diagnostic]:
    tables: list[tuple[KeyPath, Any, tuple[str, ...]]] = [((), document.tree, TOP)]
    tables.append((("hardware",), document.get("hardware"), HARDWARE))
    kinds: dict[str, tuple[str, ...]] = {"have": HAVE, "steps": STEP}
    for kind, known in kinds.items():
        entries = document.get(kind)
        for name, table in entries.items() if isinstance(entries, dict) else ():
            tables.append(((kind, name), table, known))
    for path, table, known in tables:
        for key in table if isinstance(table, dict) else ():
            if key not in known:
                dotted = ".".join(str(part) for part in (*path, key))
                fix = did_you_mean(key, known) or f"known here: {', '.join(known)}"
                yield error("NMT270", f"unknown key '{dotted}'", where=document.place((*path, key)), fix=fix)


def _wrong_values(document: Document, types: Types) -> Iterator[Diagnostic]:
    if document.get("version") != 1:
        yield error(
            "NMT270", "a pipeline file says `version: 1`", where=document.place("version"), fix="version: 1"
        )
    want = document.get("want")
    if want is not None and want not in types:
        yield types.unknown(str(want), document.place("want"))
    for kind in ("have", "steps", "hardware"):
        entries = document.get(kind)
        if entries is not None and not isinstance(entries, dict):
            yield error("NMT270", f"'{kind}' must be a table", where=document.place(kind))
            continue
        for name, table in (entries or {}).items() if kind != "hardware" else ():
            yield from _wrong_entry(document, kind, name, table, types)
    for key in ("nodes", "gpus_per_node"):
        count = document.get(f"hardware.{key}")
        if count not in (None, MISSING) and (not isinstance(count, int) or isinstance(count, bool)):
            where = document.place(("hardware", key))
            yield error("NMT270", f"'hardware.{key}' must be a whole number", where=where)
    names = [*(document.get("have") or {})] if isinstance(document.get("have"), dict) else []
    steps = document.get("steps") if isinstance(document.get("steps"), dict) else {}
    for name in names:
        if name in (steps or {}):
            place = document.place(("steps", name))
            yield error(
                "NMT273", f"a have and a step are both called '{name}'", where=place, fix="rename one"
            )


def _wrong_entry(document: Document, kind: str, name: str, table: Any, types: Types) -> Iterator[Diagnostic]:
    place = document.place((kind, name))
    if not NAME.fullmatch(name):
        yield error("NMT273", f"'{name}' is no name: letters, digits, _ and -", where=place, fix="rename it")
    if not isinstance(table, dict):
        yield error("NMT270", f"'{kind}.{name}' must be a table", where=place)
        return
    wanted = "type" if kind == "have" else "step"
    if not isinstance(table.get(wanted), str):
        yield error("NMT270", f"'{kind}.{name}' needs a {wanted}", where=place, fix=f"add {wanted}: …")
    elif kind == "have" and table["type"] not in types:
        yield types.unknown(table["type"], document.place((kind, name, "type")))
    for key, kinds, what in _KINDS:
        value = table.get(key) if kind == "steps" else None
        if value is not None and (not isinstance(value, kinds) or isinstance(value, bool)):
            where = document.place((kind, name, key))
            yield error("NMT270", f"'{kind}.{name}.{key}' must be {what}", where=where)
