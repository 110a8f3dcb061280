"""YAML as documents: scalars by the YAML 1.2 core schema, every key with its place. Reads files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from nemotron.config.tree import MISSING, Document, KeyPath
from nemotron.diagnostic import Diagnostic, Failure, Place, error

# YAML 1.2.2, section 10.3.2 (core schema). PyYAML resolves YAML 1.1: `no` is a bool, `1e-5` a string.
_CORE: list[tuple[str, str]] = [
    ("null", r"~|null|Null|NULL|"),
    ("bool", r"true|True|TRUE|false|False|FALSE"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
    ),
]
_TAG = "tag:yaml.org,2002:"
_PATTERNS = [(_TAG + kind, re.compile(rf"(?:{pattern})\Z")) for kind, pattern in _CORE]
# What a scalar of each kind begins with: others are not looked at further.
_FIRST = {
    "null": ["~", "n", "N", ""],
    "bool": list("tTfF"),
    "int": list("-+0123456789"),
    "float": list("-+.0123456789"),
}
_MERGE = _TAG + "merge"
_KNOWN_TAGS = {_TAG + kind for kind in ("null", "bool", "int", "float", "str", "map", "seq")}


class _Loader(yaml.SafeLoader):
    """PyYAML's parser with the core schema's scalars."""


class _Dumper(yaml.SafeDumper):
    """PyYAML's writer: a string that either schema takes for something else is quoted."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """Line breaks other than a newline survive only as escapes, which double quotes allow."""
    style = None if text.replace("\n", "").isprintable() else '"'
    return dumper.represent_scalar(_TAG + "str", text, style)


_Dumper.add_representer(str, _represent_text)
_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern in _PATTERNS:
    _first = _FIRST[_tag.removeprefix(_TAG)]
    _Loader.add_implicit_resolver(_tag, _pattern, _first)
    _Dumper.add_implicit_resolver(_tag, _pattern, _first)
_Loader.add_implicit_resolver(_MERGE, re.compile(r"<<\Z"), ["<"])


class _QuickLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The same schema over libyaml's parser, which is some ten times as fast."""

    yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers


_NOT_PLAIN_IN_FLOW = re.compile(r"[\[\]{},?]|: |:$")

# What libyaml takes and PyYAML's parser does not, or not always: `[???]`, tabs, very deep nesting.
_LEFT_TO_PYYAML = re.compile(r"[\[{,][ \n]*[?:]|\t|[\[{]{20}|^ {80}|(?:- ){20}", re.MULTILINE)


def read_yaml(file: Path, *, quick: bool = False) -> Document:
    """Parse a YAML file whose top is a mapping. Failure NMT210 where it does not parse.

    `quick` is for many files of which few are shown: the document has no places.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as problem:
        before = problem.object[: problem.start]
        where = Place(str(file), before.count(b"\n") + 1, problem.start - (before.rfind(b"\n") + 1) + 1)
        summary = f"{file.name} is not UTF-8 text: {problem.reason}"
        raise Failure(error("NMT210", summary, where=where)) from problem
    except OSError as problem:
        summary = f"{file.name} cannot be read: {problem.strerror}"
        raise Failure(error("NMT210", summary, where=Place(str(file)))) from problem
    if quick and (tree := _quick_tree(text)) is not None:
        return Document(tree)
    return parse_yaml(text, str(file))


def _quick_tree(text: str) -> dict[str, Any] | None:
    """The tree of YAML text; None where anything is wrong or unusual, which `parse_yaml` then tells."""
    if _LEFT_TO_PYYAML.search(text):
        return None
    try:
        node = _QuickLoader(text).get_single_node()
        return _QuickReader("").mapping(node, ()) if isinstance(node, yaml.MappingNode) else None
    except (yaml.YAMLError, Failure):
        return None


def parse_yaml(text: str, name: str) -> Document:
    """Parse YAML text; `name` is the file that places and errors name."""
    try:
        node = _compose(text)
        if node is None or node.tag == _TAG + "null":
            return Document()
        if not isinstance(node, yaml.MappingNode):
            summary = "the top of a config must be a mapping of keys to values"
            raise Failure(error("NMT211", summary, where=_place(node, name)))
        reader = _Reader(name)
        return Document(reader.mapping(node, ()), reader.places)
    except yaml.reader.ReaderError as problem:
        raise Failure(_bad_character(problem, text, name)) from problem
    except yaml.MarkedYAMLError as problem:
        raise Failure(_syntax_error(problem, name)) from problem
    except RecursionError as problem:
        raise Failure(error("NMT210", "nested too deeply", where=Place(name, 1, 1))) from problem


def _compose(text: str) -> yaml.Node | None:
    """The nodes of YAML text, by libyaml's parser where it can; what is wrong, PyYAML's own tells better."""
    if not _LEFT_TO_PYYAML.search(text):
        try:
            found: yaml.Node | None = _QuickLoader(text).get_single_node()
            return found
        except yaml.YAMLError:
            pass
    node: yaml.Node | None = _Loader(text).get_single_node()
    return node


def dump_yaml(tree: Any) -> str:
    """YAML text that reads back as the same tree, keys in their order."""
    text: str = yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    return text


def dump_flow(value: Any) -> str:
    """YAML text on one line: `{a: 1, b: [x, y]}`. What is no plain word in a flow (`???`) is quoted."""
    if not isinstance(value, dict | list):
        return _inline(value, top=True)
    if isinstance(value, list):
        return "[" + ", ".join(_inline(item) for item in value) + "]"
    return "{" + ", ".join(f"{_inline(key)}: {_inline(item)}" for key, item in value.items()) + "}"


def _inline(value: Any, *, top: bool = False) -> str:
    if isinstance(value, dict | list):
        return dump_flow(value)
    is_text = isinstance(value, str)
    quoted = is_text and (not value.isprintable() or (not top and _NOT_PLAIN_IN_FLOW.search(value)))
    style = '"' if quoted else None
    text: str = yaml.dump(value, Dumper=_Dumper, allow_unicode=True, width=10**9, default_style=style)
    return text.removesuffix("\n...\n").rstrip("\n")


def parse_scalar(text: str) -> Any:
    """A plain scalar as the core schema reads it: `1e-5` is a number, `no` is a string."""
    for tag, pattern in _PATTERNS:
        if pattern.match(text):
            return _scalar(tag, text)
    return text


class _Reader:
    """Builds the tree of a document and notes the place of every key on the way."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.places: dict[KeyPath, Place] = {}
        self._open: list[yaml.Node] = []

    def note(self, node: yaml.Node, path: KeyPath) -> None:
        self.places[path] = _place(node, self.name)

    def mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        result: dict[str, Any] = {}
        own: set[str] = set()
        for key_node, value_node in sorted(node.value, key=lambda pair: pair[0].tag != _MERGE):
            if key_node.tag == _MERGE:
                self._merge_key(value_node, path, result)
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._failure("NMT211", "a key must be a plain word", key_node)
            key = str(key_node.value)
            if key in own:
                raise self._failure("NMT212", f"'{key}' is given twice", key_node, "keep one of the two")
            own.add(key)
            self.note(key_node, (*path, key))
            result[key] = self.value(value_node, (*path, key))
        return result

    def value(self, node: yaml.Node, path: KeyPath) -> Any:
        if node.tag not in _KNOWN_TAGS:
            raise self._failure("NMT210", f"the tag {node.tag} means nothing here", node, "leave it out")
        if any(node is around for around in self._open):
            raise self._failure("NMT210", "an alias refers to what it stands in", node)
        self._open.append(node)
        try:
            if isinstance(node, yaml.MappingNode):
                return self.mapping(node, path)
            if isinstance(node, yaml.SequenceNode):
                return [self._item(item, (*path, index)) for index, item in enumerate(node.value)]
            if "\0" in node.value:
                raise self._failure("NMT210", "a value holds the character U+0000", node)
            return _scalar(node.tag, str(node.value))
        except ValueError as problem:
            kind = node.tag.removeprefix(_TAG)
            raise self._failure("NMT210", f"'{node.value[:40]}' is not a {kind}", node) from problem
        finally:
            self._open.pop()

    def _item(self, node: yaml.Node, path: KeyPath) -> Any:
        self.note(node, path)
        return self.value(node, path)

    def _merge_key(self, node: yaml.Node, path: KeyPath, result: dict[str, Any]) -> None:
        """`<<: *anchor` or a list of them: earlier ones win, and the mapping's own keys over all."""
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for source in reversed(sources):
            if not isinstance(source, yaml.MappingNode):
                raise self._failure("NMT211", "`<<` takes a mapping, or a list of mappings", node)
            result.update(self.value(source, path))

    def _failure(self, code: str, summary: str, node: yaml.Node, fix: str = "") -> Failure:
        return Failure(error(code, summary, where=_place(node, self.name), fix=fix))


class _QuickReader(_Reader):
    """Builds the tree alone."""

    def note(self, node: yaml.Node, path: KeyPath) -> None:
        pass


def _scalar(tag: str, text: str) -> Any:
    match tag.removeprefix(_TAG):
        case "null":
            return None
        case "bool" if text.lower() not in ("true", "false"):
            raise ValueError(text)
        case "bool":
            return text.lower() == "true"
        case "int":
            return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        case "float":
            return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        case _:
            return text


def _place(node: yaml.Node, name: str) -> Place:
    start, end = node.start_mark, node.end_mark
    length = end.column - start.column if end.line == start.line else 1
    return Place(name, start.line + 1, start.column + 1, max(1, length))


def _syntax_error(problem: yaml.MarkedYAMLError, name: str) -> Diagnostic:
    mark = problem.problem_mark or problem.context_mark
    where = Place(name, mark.line + 1, mark.column + 1) if mark else Place(name, 1, 1)
    because = f" {problem.context}" if problem.context else ""
    unquoted = mark is not None and (mark.buffer or "")[mark.pointer :].startswith(MISSING)
    fix = f'inside [ ] and {{ }}, write "{MISSING}" in quotes' if unquoted else ""
    return error("NMT210", f"not YAML: {problem.problem}{because}", where=where, fix=fix)


def _bad_character(problem: yaml.reader.ReaderError, text: str, name: str) -> Diagnostic:
    before = text[: problem.position]
    where = Place(name, before.count("\n") + 1, problem.position - (before.rfind("\n") + 1) + 1)
    return error("NMT210", f"not YAML: the character U+{ord(text[problem.position]):04X}", where=where)
