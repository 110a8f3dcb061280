"""`key=value` and `~key` from the command line. Pure text; touches no file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from nemotron.config.secrets import redact_line
from nemotron.config.tree import Document
from nemotron.config.yaml_places import parse_scalar, parse_yaml
from nemotron.diagnostic import Diagnostic, Failure, Place, error
from nemotron.nearest import did_you_mean

_KEY = re.compile(r"[A-Za-z_][\w-]*(?:\.[\w-]+)*")


@dataclass(frozen=True)
class Override:
    """One argument: sets `key` to `value`, or deletes it."""

    key: str
    value: Any
    argument: str
    deletes: bool = False

    @property
    def place(self) -> Place:
        return Place(argument=self.argument, column=1, length=len(self.argument))


def parse_overrides(arguments: list[str]) -> list[Override]:
    """Every argument parsed; Failure NMT205 with all of those that are neither `key=value` nor `~key`."""
    parsed: list[Override] = []
    problems: list[Diagnostic] = []
    for argument in arguments:
        try:
            parsed.append(_parse(argument))
        except Failure as failure:
            problems.extend(failure.diagnostics)
    if problems:
        raise Failure(problems)
    return parsed


def apply_overrides(document: Document, overrides: list[Override]) -> None:
    """Lay overrides on a document, in order. Failure NMT202 for each that names what is not there."""
    problems = [found for override in overrides if (found := _apply(document, override)) is not None]
    if problems:
        raise Failure(problems)


def _apply(document: Document, override: Override) -> Diagnostic | None:
    around = _list_around(document, override.key)
    whole_list = f"give the whole list: {around}=[…]" if around else ""
    if override.deletes:
        if document.delete(override.key):
            return None
        fix = whole_list or did_you_mean(override.key, document.keys())
        return error("NMT202", f"there is no key '{override.key}' to delete", where=override.place, fix=fix)
    try:
        document.set(override.key, override.value, override.place)
    except LookupError as problem:
        summary = f"'{override.key}' cannot be set: {problem}"
        return error("NMT202", summary, where=override.place, fix=whole_list)
    return None


def _list_around(document: Document, key: str) -> str:
    """The key of the innermost list that `key` points into, or an empty string."""
    while "." in key:
        key = key.rpartition(".")[0]
        if isinstance(document.get(key), list):
            return key
    return ""


def _parse(argument: str) -> Override:
    if argument.startswith("~") and _KEY.fullmatch(argument[1:]):
        return Override(argument[1:], None, argument, deletes=True)
    key, equals, text = argument.partition("=")
    if not equals or not _KEY.fullmatch(key):
        is_key = _KEY.fullmatch(key) is not None
        fix = f"write {key}=VALUE" if is_key else "a key is words joined by dots, as in model.name=VALUE"
        raise _malformed(argument, f"'{redact_line(argument)}' is neither key=value nor ~key", fix)
    return Override(key, _value(key, text, argument), argument)


def _value(key: str, text: str, argument: str) -> Any:
    """A scalar by the core schema; lists, tables and quoted strings as YAML writes them on one line.

    A Jinja template begins as no list or table of ours can: it is a string without quotes too.
    """
    if text == "":
        return ""
    try:
        if text[0] not in "[{\"'" or text.startswith(("{{", "{%")):
            return parse_scalar(text)
        tree = parse_yaml(f"value: {text}", argument).tree
    except ValueError as problem:
        raise _malformed(argument, f"the value of '{key}' cannot be read: {problem}") from problem
    except Failure as failure:
        reason, quoted = failure.diagnostics[0].summary, f"quote it: {key}='\"…\"'"
        raise _malformed(argument, f"the value of '{key}' cannot be read: {reason}", quoted) from failure
    if list(tree) != ["value"]:
        raise _malformed(argument, f"the value of '{key}' is more than one", "one argument for each key")
    return tree["value"]


def _malformed(argument: str, summary: str, fix: str = "") -> Failure:
    where = Place(argument=argument, column=1, length=len(argument))
    return Failure(error("NMT205", summary, where=where, fix=fix))
