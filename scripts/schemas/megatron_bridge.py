"""Which keys Megatron-Bridge's ConfigContainer has, from the library's source. Parses it, imports nothing.

A section of the config is a field of the container. Its keys are the fields of the dataclasses that the
field's annotation names and of all their subclasses in the library, inherited ones included: `model` is the
union of the model providers, `peft` that of LoRA, DoRA and so on. Dataclasses inside them are sections too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

from signatures import Found, Function, Sources, decorated, package_version

PACKAGE = "megatron.bridge"
CONTAINER = f"{PACKAGE}.training.config.ConfigContainer"
RECIPES = f"{PACKAGE}.recipes"
_RECIPE = re.compile(r"_config(?:_\w+)?$")
_SIMPLE = {"int": "integer", "float": "number", "bool": "boolean", "str": "string"}
_ALSO = {"integer": (int,), "number": (int, float), "boolean": (bool,), "string": (str,)}
_NAME = re.compile(r"[A-Za-z_][\w.]*")


def schema(sources: Sources) -> dict[str, Any]:
    container = sources.find(CONTAINER)
    assert container is not None, f"{CONTAINER} is not in the folders"
    found = _Sections(sources)
    found.add("", [container])
    top = found.sections[""]
    top |= {"keys": sorted([*top["keys"], "recipe"]), "unread": {}}
    found.sections["recipe"] = {"keys": [], "open": True}
    return {
        "library": "megatron_bridge",
        "version": package_version(sources, PACKAGE),
        "recipes": [f"{RECIPES}.*"],
        "covered": [RECIPES],
        "sections": dict(sorted(found.sections.items())),
        "targets": dict(sorted(recipes(sources))),
    }


def recipes(sources: Sources) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every function that returns a whole config, under each of its names."""
    families = _families(sources)
    for module in sources.modules_below(RECIPES):
        package = module.name.rpartition(".")[0]
        for name, node in module.bindings.items():
            if not isinstance(node, Function) or not _is_recipe(node):
                continue
            full = f"{module.name}.{name}"
            signature = sources.signature(full)
            yield full, {"keys": sorted(signature.keys), "open": signature.open}
            if sources.find(f"{package}.{name}") is not None:
                yield f"{package}.{name}", {"same_as": full}
                if package in families:
                    yield f"{RECIPES}.{name}", {"same_as": full}


def _is_recipe(node: Function) -> bool:
    returns = ast.unparse(node.returns) if node.returns else ""
    return (
        _RECIPE.search(node.name) is not None
        and not node.name.startswith("_")
        and returns == "ConfigContainer"
    )


def _families(sources: Sources) -> set[str]:
    """The packages whose names the package of all recipes takes over (`from … import *`)."""
    top = sources.module(RECIPES)
    assert top is not None
    stars = (s for s in top.tree.body if isinstance(s, ast.ImportFrom) and s.names[0].name == "*")
    return {str(statement.module) for statement in stars}


class _Sections:
    """The sections of a config, found from its outermost class inwards."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self.sections: dict[str, dict[str, Any]] = {}

    def add(self, name: str, classes: list[Found], outer: frozenset[str] = frozenset()) -> None:
        """The section of these classes, and one for each of their fields that holds a dataclass."""
        fields: dict[str, list[tuple[Found, ast.AnnAssign]]] = {}
        keys: set[str] = set()
        for found in classes:
            for owner, field in self._fields(found):
                assert isinstance(field.target, ast.Name)
                fields.setdefault(field.target.id, []).append((owner, field))
            keys |= self._parameters(found)
        types = {key: kind for key, places in sorted(fields.items()) if (kind := _type(places))}
        self.sections[name] = {"keys": sorted(keys | fields.keys()), "open": False}
        if types:
            self.sections[name]["types"] = types
        chain = outer | {found.dotted for found in classes}
        for key, places in fields.items():
            inner = {c.dotted: c for owner, field in places for c in self._named(owner, field)}
            if inner and not inner.keys() & chain:
                self.add(f"{name}.{key}" if name else key, list(inner.values()), chain)

    def _fields(self, found: Found) -> Iterator[tuple[Found, ast.AnnAssign]]:
        """What the class's `__init__` or its caller may set, with the class that states it; nearest first."""
        seen: set[str] = set()
        for ancestor in self._sources.line_of_descent(found):
            if not isinstance(ancestor, Found) or not decorated(ancestor.node, "dataclass"):
                continue
            for statement in getattr(ancestor.node, "body", []):
                match statement:
                    case ast.AnnAssign(target=ast.Name(id=name)) if name not in seen and _is_set(statement):
                        seen.add(name)
                        yield ancestor, statement

    def _parameters(self, found: Found) -> set[str]:
        """The keywords of an `__init__` that the class writes itself, beside its fields."""
        for statement in getattr(found.node, "body", []):
            if isinstance(statement, Function) and statement.name == "__init__":
                return {a.arg for a in (*statement.args.args[1:], *statement.args.kwonlyargs)}
        return set()

    def _named(self, owner: Found, field: ast.AnnAssign) -> Iterator[Found]:
        """The dataclasses that the annotation of a field names, and their subclasses."""
        for name in sorted(set(_NAME.findall(ast.unparse(field.annotation)))):
            found = self._sources.find(f"{owner.module.name}.{name}")
            if found is not None and decorated(found.node, "dataclass"):
                yield from self._below(found.dotted)

    def _below(self, dotted: str) -> Iterator[Found]:
        return (found for found, ancestors in self._dataclasses if dotted in ancestors)

    @cached_property
    def _dataclasses(self) -> list[tuple[Found, set[str]]]:
        """Every dataclass of the library, with the names of itself and of its bases."""
        return [
            (found, {a.dotted for a in self._sources.line_of_descent(found) if isinstance(a, Found)})
            for module in self._sources.modules_below(PACKAGE)
            for name, node in module.bindings.items()
            if isinstance(node, ast.ClassDef) and decorated(node, "dataclass")
            for found in [Found(module, name, node)]
        ]


def _is_set(field: ast.AnnAssign) -> bool:
    assert isinstance(field.target, ast.Name)
    kind, default = ast.unparse(field.annotation), ast.unparse(field.value) if field.value else ""
    return not field.target.id.startswith("_") and "ClassVar" not in kind and "init=False" not in default


def _type(places: Iterable[tuple[Found, ast.AnnAssign]]) -> str | None:
    """The one simple type that every class gives the field; None where they differ or it is another."""
    kinds = {_simple(field) for _, field in places}
    if kinds == {"integer", "number"}:
        return "number"
    return kinds.pop() if len(kinds) == 1 else None


def _simple(field: ast.AnnAssign) -> str | None:
    """`int`, `Optional[int]`, `int | None` or `Literal[0, 1]`; None for all else, or with another default."""
    kinds = {_SIMPLE.get(name) for name in _members(field.annotation)}
    kind = kinds.pop() if len(kinds) == 1 else None
    default = field.value.value if isinstance(field.value, ast.Constant) else None
    return kind if kind is None or default is None or type(default) in _ALSO[kind] else None


def _members(annotation: ast.expr) -> Iterator[str]:
    """The names of the types in a union, None left out."""
    match annotation:
        case ast.Constant(value=None):
            return
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            yield from _members(left)
            yield from _members(right)
        case ast.Subscript(value=ast.Name(id="Optional" | "Union"), slice=inner):
            for part in inner.elts if isinstance(inner, ast.Tuple) else [inner]:
                yield from _members(part)
        case ast.Subscript(value=ast.Name(id="Literal"), slice=inner):
            for part in inner.elts if isinstance(inner, ast.Tuple) else [inner]:
                yield type(part.value).__name__ if isinstance(part, ast.Constant) else "?"
        case _:
            yield ast.unparse(annotation)
