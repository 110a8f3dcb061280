"""`key=value` and `~key` from the command line. Pure text; touches no file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from nemotron.config.tree import Document
from nemotron.config.yaml_places import parse_scalar, parse_yaml
from nemotron.diagnostic import Diagnostic, Failure, Place, error

_KEY = re.compile(r"^[A-Za-z_][\w-]*(?:\.[\w-]+)*$")


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
    """Lay overrides on a document, in order. Failure NMT202 when `~key` names a key that is not there."""
    for override in overrides:
        if not override.deletes:
            document.set(override.key, override.value, override.place)
        elif not document.delete(override.key):
            raise Failure(
                error("NMT202", f"there is no key '{override.key}' to delete", where=override.place)
            )


def _parse(argument: str) -> Override:
    if argument.startswith("~") and _KEY.match(argument[1:]):
        return Override(argument[1:], None, argument, deletes=True)
    key, equals, text = argument.partition("=")
    if not equals or not _KEY.match(key):
        place = Place(argument=argument, column=1, length=len(argument))
        fix = (
            f"write {key}=VALUE"
            if _KEY.match(key)
            else "a key is words joined by dots, as in model.name=VALUE"
        )
        raise Failure(error("NMT205", f"'{argument}' is neither key=value nor ~key", where=place, fix=fix))
    return Override(key, _value(text, argument), argument)


def _value(text: str, argument: str) -> Any:
    """A scalar by the core schema; lists, tables and quoted strings as YAML writes them on one line."""
    if text == "":
        return ""
    if text[0] not in "[{\"'":
        return parse_scalar(text)
    try:
        return parse_yaml(f"value: {text}", argument).tree["value"]
    except Failure as failure:
        place = Place(argument=argument, column=1, length=len(argument))
        summary = failure.diagnostics[0].summary
        raise Failure(error("NMT205", f"the value of '{argument}' is {summary}", where=place)) from failure
