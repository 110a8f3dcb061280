"""Are the values in a manifest ones that can ever hold? Pure functions over what was read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from nemotron.catalog.manifest import Parameter
from nemotron.checking.catalog_files import StepFiles
from nemotron.checking.catalog_rules import Scope
from nemotron.checking.config_rules import limit_problem
from nemotron.diagnostic import Diagnostic, Place, Related, error
from nemotron.planning.actions import comparison

_NUMBERS = ("gpus", "nodes", "gpu_memory_gib", "model_parameters")
# The text of a one-line TOML string: its quote and where it begins.
_STRING = re.compile(r"""\s*[\w."'-]+\s*=\s*(?P<quote>'(?!'')|"(?!""))""")
_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)|[^\\]")


def defaults_hold(files: StepFiles, scope: Scope) -> Iterator[Diagnostic]:
    """A parameter's default is a value that the parameter takes, and the one that default.yaml has."""
    for index, parameter in enumerate(files.step.manifest.parameters):
        if parameter.default is None:
            continue
        where = ("parameters", index, "default")
        if (problem := limit_problem(parameter, parameter.default)) is not None:
            _, wrong, fix = problem
            summary = f"the default of '{parameter.key}' {wrong}"
            yield error("NMT116", summary, where=files.place(*where), fix=fix or "correct the default")
        elif (actual := _other_value(files, parameter)) is not None:
            written = files.place_in_default(parameter.key)
            yield error(
                "NMT116",
                f"the default of '{parameter.key}' is {_toml(parameter.default)}, in default.yaml {actual}",
                where=files.place(*where),
                related=(Related(written, "what a run takes"),) if written else (),
                fix=f"default = {actual}" if actual != "null" else "take the default out, or set it there",
            )


def messages_are_expressions(files: StepFiles, scope: Scope) -> Iterator[Diagnostic]:
    """The `match` of every known error is a regular expression."""
    for index, known in enumerate(files.step.manifest.errors):
        try:
            re.compile(known.match)
        except re.error as problem:
            key = files.place("errors", index, "match")
            yield error(
                "NMT118",
                f"the `match` of '{known.id}' is no regular expression: {problem.msg}",
                where=_place_in_string(files, key, problem.pos or 0),
                fix=f"match = '{re.escape(known.match)}' matches the text as it is",
            )


def conditions_parse(files: StepFiles, scope: Scope) -> Iterator[Diagnostic]:
    """What a preference compares with a number is a number, or one after <, <=, > or >=."""
    for index, preference in enumerate(files.step.manifest.prefer):
        for name in _NUMBERS:
            value = getattr(preference.if_, name)
            if isinstance(value, str) and comparison(value) is None:
                yield error(
                    "NMT121",
                    f"the condition {name} = {_toml(value)} never holds: it compares with no number",
                    where=files.place("prefer", index, "if"),
                    fix=f'write a number, or a comparison such as {name} = "<=8"',
                )


def models_are_told_apart(files: StepFiles, scope: Scope) -> Iterator[Diagnostic]:
    """No two models share a name or an alias, and at most one is the default."""
    names: dict[str, int] = {}
    default: int | None = None
    for index, model in enumerate(files.step.manifest.models):
        for name, key in [(model.name, "name"), *((alias, "aliases") for alias in model.aliases)]:
            first = names.setdefault(name.lower(), index)
            if first != index:
                related = (Related(files.place("models", first), "the other one"),)
                yield error(
                    "NMT122",
                    f"two models are called '{name}'",
                    where=files.place("models", index, key),
                    related=related,
                    fix="take it out of one of the two",
                )
        if model.default and default is not None:
            related = (Related(files.place("models", default, "default"), "the other one"),)
            where = files.place("models", index, "default")
            fix = "take `default = true` out of one of the two"
            yield error("NMT122", "two models are the default", where=where, related=related, fix=fix)
        elif model.default:
            default = index


def _other_value(files: StepFiles, parameter: Parameter) -> str | None:
    """What default.yaml has in place of a parameter's default; None where it has the same, or no such key."""
    if files.default is None or not files.default.has(parameter.key):
        return None
    value = files.default.get(parameter.key)
    if isinstance(value, str) and "${" in value:
        return None
    same = value == parameter.default and isinstance(value, bool) == isinstance(parameter.default, bool)
    return None if same else _toml(value)


def _toml(value: Any) -> str:
    """A value as TOML writes it; null, which TOML does not have, as YAML does."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return str(value)


def _place_in_string(files: StepFiles, key: Place, position: int) -> Place:
    """The place of a character of the string that a key has; the key's own where the string is a long one."""
    line = files.file.read_text(encoding="utf-8").split("\n")[(key.line or 1) - 1]
    begins = _STRING.match(line, (key.column or 1) - 1)
    if begins is None:
        return key
    column = begins.end()
    if begins["quote"] == "'":
        return Place(key.file, key.line, column + position + 1)
    for character in list(_ESCAPE.finditer(line, column))[:position]:
        column = character.end()
    return Place(key.file, key.line, column + 1)
