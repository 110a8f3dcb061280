"""Setting the fields of the library's config classes from a YAML tree, strictly.

A field that the class does not have, and a value that is not of the field's type, is a JobError that names
the place in the job's config file. Sections inside sections are followed in the same way.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import yaml

from nemotron.backends.job import JobError
from nemotron.nearest import did_you_mean, nearest

Keys = tuple[str, ...]


class Mismatch(Exception):
    """A value is not what a field takes; the text says what it takes."""


class Setter:
    """Sets fields, and knows the file that the values come from."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def set_all(self, target: Any, tree: Mapping[str, Any], at: Keys) -> None:
        """Set every key of `tree` on the config object that lies `at` these keys. JobError NMT841, NMT842."""
        annotations = annotations_of(type(target))
        settable = settable_names(type(target))
        for name, value in tree.items():
            here = (*at, str(name))
            if name not in settable:
                raise self.unknown(here, settable)
            current = getattr(target, name, None)
            setattr(target, name, self._value(current, value, annotations.get(name), here))

    def _value(self, current: Any, value: Any, annotation: Any, at: Keys) -> Any:
        section = type(current) if dataclasses.is_dataclass(current) else _dataclass_of(annotation)
        if isinstance(value, dict) and section is not None:
            target = current if dataclasses.is_dataclass(current) else self._new(section, value, at)
            self.set_all(target, value, at)
            return target
        if value is None and current is None:
            return None
        try:
            return converted(value, annotation)
        except Mismatch as problem:
            raise self.wrong_type(at, value, str(problem)) from None

    def _new(self, section: type, tree: Mapping[str, Any], at: Keys) -> Any:
        """An object of the class; what it cannot be made without comes from the tree."""
        needed = [f.name for f in dataclasses.fields(section) if f.init and _is_required(f)]
        if missing := [name for name in needed if name not in tree]:
            raise JobError(
                "NMT842",
                f"'{'.'.join(at)}' lacks {', '.join(missing)}",
                file=self.file,
                line=line_of(self.file, at),
            )
        return section(**{name: tree[name] for name in needed})

    def unknown(self, at: Keys, known: Iterable[str]) -> JobError:
        """The error for a key that the library does not have."""
        names = sorted(known)
        near = nearest(at[-1], names)
        return JobError(
            "NMT841",
            f"Megatron-Bridge knows no '{'.'.join(at)}'"
            + (f": {did_you_mean(at[-1], names)}" if near else ""),
            file=self.file,
            line=line_of(self.file, at),
            fix=f"use {'.'.join((*at[:-1], near[0]))}" if near else f"leave {'.'.join(at)} out",
        )

    def wrong_type(self, at: Keys, value: Any, expected: str) -> JobError:
        """The error for a value that a field does not take."""
        return JobError(
            "NMT842",
            f"'{'.'.join(at)}' takes {expected}, and the config has {value!r}",
            file=self.file,
            line=line_of(self.file, at),
        )


def settable_names(config_class: type) -> set[str]:
    """What a config may set: fields of `__init__`, its other parameters, properties that can be set."""
    fields = {f.name for f in dataclasses.fields(config_class) if f.init}
    parameters = {
        name
        for name, parameter in inspect.signature(config_class).parameters.items()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }
    properties = {
        name
        for name, member in inspect.getmembers(config_class, lambda m: isinstance(m, property))
        if member.fset is not None
    }
    return {name for name in fields | parameters | properties if not name.startswith("_")}


def annotations_of(config_class: type) -> dict[str, Any]:
    """Each field's type, nearest class first; Any where its text does not resolve."""
    found: dict[str, Any] = {}
    for owner in reversed(config_class.__mro__):
        names = vars(sys.modules[owner.__module__])
        for name, annotation in inspect.get_annotations(owner).items():
            found[name] = _resolved(annotation, names) if isinstance(annotation, str) else annotation
    return found


def _resolved(text: str, names: dict[str, Any]) -> Any:
    try:
        return eval(text, dict(names))  # the library's own annotation, as typing.get_type_hints does it
    except NameError:
        return Any


def converted(value: Any, annotation: Any) -> Any:
    """The value as the annotation wants it. Mismatch when it is of another type."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation in (Any, None, inspect.Parameter.empty) or isinstance(annotation, typing.TypeVar):
        return value
    if origin in (typing.Union, types.UnionType):
        return _first_that_fits(value, arguments)
    if origin is typing.Literal:
        if value in arguments and type(value) in {type(argument) for argument in arguments}:
            return value
        raise Mismatch("one of " + ", ".join(str(argument) for argument in arguments))
    if origin in (list, tuple) and isinstance(value, list):
        inner = next((argument for argument in arguments if argument is not Ellipsis), Any)
        return origin(converted(item, inner) for item in value)
    if origin is dict and isinstance(value, dict):
        return value
    if _is_dtype(annotation):
        return _dtype(value)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return _member(value, annotation)
    return _plain(value, origin or annotation)


def _first_that_fits(value: Any, members: tuple[Any, ...]) -> Any:
    """The value as the first member of a union that takes it; a member of its very type comes first."""
    refused = []
    for member in sorted(members, key=lambda m: m is not type(value)):
        if member is type(None):
            if value is None:
                return None
            continue
        try:
            return converted(value, member)
        except Mismatch as problem:
            refused.append(str(problem))
    raise Mismatch(" or ".join(dict.fromkeys(refused)))


_PLAIN: dict[Any, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "true or false"),
    int: ((int,), "an integer"),
    float: ((int, float), "a number"),
    str: ((str,), "text"),
    Path: ((str,), "a path"),
    list: ((list,), "a list"),
    tuple: ((list,), "a list"),
    dict: ((dict,), "a mapping"),
}


def _plain(value: Any, kind: Any) -> Any:
    if kind not in _PLAIN:
        raise Mismatch("what only Python code can give")
    accepted, words = _PLAIN[kind]
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise Mismatch(words)
    return value if isinstance(value, kind) else kind(value)


def _is_dtype(annotation: Any) -> bool:
    return getattr(annotation, "__module__", "") == "torch" and annotation.__name__ == "dtype"


def _dtype(value: Any) -> Any:
    import torch

    found = getattr(torch, str(value).removeprefix("torch."), None)
    if isinstance(found, torch.dtype):
        return found
    raise Mismatch("the name of a number format, such as bfloat16")


def _member(value: Any, kind: type[Enum]) -> Enum:
    if isinstance(value, str) and value in kind.__members__:
        return kind[value]
    raise Mismatch("one of " + ", ".join(kind.__members__))


def _dataclass_of(annotation: Any) -> type | None:
    """The one dataclass that an annotation names, alone or in a union."""
    members = typing.get_args(annotation) or (annotation,)
    found = [m for m in members if isinstance(m, type) and dataclasses.is_dataclass(m)]
    return found[0] if len(found) == 1 else None


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def line_of(file: Path, keys: Keys) -> int | None:
    """The line of a key in a YAML file."""
    try:
        node = yaml.compose(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError):
        return None
    line = None
    for key in keys:
        found = next(((k, v) for k, v in _pairs(node) if k.value == key), None)
        if found is None:
            return line
        line, node = found[0].start_mark.line + 1, found[1]
    return line


def _pairs(node: Any) -> Iterator[tuple[Any, Any]]:
    return iter(node.value if isinstance(node, yaml.MappingNode) else ())
