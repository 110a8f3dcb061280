"""YAML files as documents: scalars by the YAML 1.2 core schema, every key with its place. Reads files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from nemotron.config.tree import Document, KeyPath
from nemotron.diagnostic import Failure, Place, error

# YAML 1.2.2, section 10.3.2 (core schema). PyYAML resolves YAML 1.1: `no` is a bool, `1e-5` a string.
_CORE: list[tuple[str, str]] = [
    ("tag:yaml.org,2002:null", r"^(?:~|null|Null|NULL|)$"),
    ("tag:yaml.org,2002:bool", r"^(?:true|True|TRUE|false|False|FALSE)$"),
    ("tag:yaml.org,2002:int", r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$"),
    (
        "tag:yaml.org,2002:float",
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
    ),
]
_PATTERNS = [(tag, re.compile(pattern)) for tag, pattern in _CORE]


class _Loader(yaml.SafeLoader):
    """PyYAML's parser with the core schema's scalars."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern in _PATTERNS:
    _Loader.add_implicit_resolver(_tag, _pattern, None)
_Loader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"^<<$"), ["<"])


def read_yaml(file: Path) -> Document:
    """Parse a YAML file whose top is a mapping. Failure NMT210 where it does not parse."""
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as problem:
        raise Failure(
            error("NMT210", f"{file.name} is not UTF-8 text: {problem.reason}", where=Place(str(file), 1, 1))
        ) from problem
    return parse_yaml(text, str(file))


def parse_yaml(text: str, name: str) -> Document:
    """Parse YAML text; `name` is the file that places and errors name."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as problem:
        raise Failure(_syntax_error(problem, name)) from problem
    except yaml.YAMLError as problem:
        raise Failure(error("NMT210", f"not YAML: {problem}", where=Place(name, 1, 1))) from problem
    finally:
        loader.dispose()
    document = Document()
    if node is None:
        return document
    if not isinstance(node, yaml.MappingNode):
        raise Failure(
            error(
                "NMT211", "the top of a config must be a mapping of keys to values", where=_place(node, name)
            )
        )
    document.tree = _Reader(name, document.places).mapping(node, ())
    return document


def parse_scalar(text: str) -> Any:
    """A plain scalar as the core schema reads it: `1e-5` is a number, `no` is a string."""
    for tag, pattern in _PATTERNS:
        if pattern.match(text):
            return _scalar(tag, text)
    return text


class _Reader:
    """Builds the tree of a document and notes the place of every key on the way."""

    def __init__(self, name: str, places: dict[KeyPath, Place]) -> None:
        self.name = name
        self.places = places

    def mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        result: dict[str, Any] = {}
        own: set[str] = set()
        for key_node, value_node in sorted(
            node.value, key=lambda pair: pair[0].tag != "tag:yaml.org,2002:merge"
        ):
            if key_node.tag == "tag:yaml.org,2002:merge":
                self._merge_key(value_node, path, result)
                continue
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is None:
                raise Failure(
                    error("NMT211", "a key must be a plain word", where=_place(key_node, self.name))
                )
            if key in own:
                raise Failure(
                    error(
                        "NMT212",
                        f"'{key}' is given twice",
                        where=_place(key_node, self.name),
                        fix="keep one of the two",
                    )
                )
            own.add(key)
            self.places[(*path, key)] = _place(key_node, self.name)
            result[key] = self.value(value_node, (*path, key))
        return result

    def value(self, node: yaml.Node, path: KeyPath) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            items = []
            for index, item in enumerate(node.value):
                self.places[(*path, index)] = _place(item, self.name)
                items.append(self.value(item, (*path, index)))
            return items
        try:
            return _scalar(node.tag, str(node.value))
        except ValueError as problem:
            raise Failure(
                error(
                    "NMT210",
                    f"'{node.value}' is not a {node.tag.rsplit(':', 1)[-1]}",
                    where=_place(node, self.name),
                )
            ) from problem

    def _merge_key(self, node: yaml.Node, path: KeyPath, result: dict[str, Any]) -> None:
        """`<<: *anchor` or a list of them: earlier ones win, and the mapping's own keys over all."""
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for source in reversed(sources):
            result.update(self.mapping(source, path))


def _scalar(tag: str, text: str) -> Any:
    match tag.rsplit(":", 1)[-1]:
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        case "float":
            return float(
                text.replace(".inf", "inf")
                .replace(".Inf", "inf")
                .replace(".INF", "inf")
                .replace(".nan", "nan")
                .replace(".NaN", "nan")
                .replace(".NAN", "nan")
            )
        case _:
            return text


def _place(node: yaml.Node, name: str) -> Place:
    start, end = node.start_mark, node.end_mark
    length = end.column - start.column if end.line == start.line else 1
    return Place(name, start.line + 1, start.column + 1, max(1, length))


def _syntax_error(problem: yaml.MarkedYAMLError, name: str) -> Any:
    mark = problem.problem_mark or problem.context_mark
    where = Place(name, mark.line + 1, mark.column + 1) if mark else Place(name, 1, 1)
    because = f" {problem.context}" if problem.context else ""
    return error("NMT210", f"not YAML: {problem.problem}{because}", where=where)
