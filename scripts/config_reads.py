"""Which keys of its config a recipe reads, from its source: the config is followed through calls and names.

Finds `cfg.get("a.b")`, `cfg.a.b`, `getattr(cfg, "a")`, and the same on what was read before, in the recipe's
methods and in the functions of its package that it hands a part of the config to.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from signatures import Found, Function, Import, Module, Sources

Path = tuple[str, ...]
# Attributes of the config object that are not keys.
_METHODS = {"get", "to_dict", "to_yaml_dict", "instantiate", "raw_config"}


def config_reads(sources: Sources, recipe: str) -> set[Path]:
    """Every key path that the recipe's class reads of its `self.cfg`."""
    found = sources.find(recipe)
    assert found is not None, f"{recipe} is not in the sources"
    reader = _Reader(sources)
    for ancestor in sources.line_of_descent(found):
        if isinstance(ancestor, Found):
            reader.follow_methods(ancestor)
    return reader.reads


class _Reader:
    """Follows config paths; what is read gathers in `reads`."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.reads: set[Path] = set()
        self._done: set[tuple[str, tuple[tuple[str, Path], ...]]] = set()

    def follow_methods(self, owner: Found) -> None:
        for node in getattr(owner.node, "body", []):
            if isinstance(node, Function):
                self.follow(owner.module, node, owner, {})

    def follow(self, module: Module, node: ast.AST, owner: Found | None, names: dict[str, Path]) -> None:
        """Read one function whose parameters `names` are bound to parts of the config."""
        key = (f"{module.name}.{getattr(node, 'name', '')}", tuple(sorted(names.items())))
        if key not in self._done:
            self._done.add(key)
            _Body(self, module, owner, dict(names)).visit(node)


class _Body(ast.NodeVisitor):
    """One function's body, in source order."""

    def __init__(self, reader: _Reader, module: Module, owner: Found | None, names: dict[str, Path]) -> None:
        self.reader, self.module, self.owner, self.names = reader, module, owner, names
        self.imports: dict[str, Import] = {}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self.imports.update(self.module.imported_by(node))

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        path = self.path(node.value)
        for target in node.targets:
            if isinstance(target, ast.Name) and path is not None:
                self.names[target.id] = path

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self._note(node)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        self._note(node)
        for part in (*node.args, *(k.value for k in node.keywords)):
            self.visit(part)
        if isinstance(node.func, ast.Attribute):  # the method's own name is not a key
            self.visit(node.func.value)
        for target in self._called(node):
            bound = dict(self._bound(node, target))
            if bound:
                self.reader.follow(target.module, target.node, None, bound)

    def path(self, node: ast.expr) -> Path | None:
        """The config path that an expression stands for."""
        match node:
            case ast.Name(id=name):
                return self.names.get(name)
            case ast.Attribute(value=ast.Name(id="self"), attr="cfg"):
                return ()
            case ast.Attribute(value=inner, attr=name) if name not in _METHODS:
                return self._below(inner, name)
            case ast.Call(
                func=ast.Attribute(value=inner, attr="get"), args=[ast.Constant(value=str(key)), *_]
            ):
                return self._below(inner, key)
            case ast.Call(
                func=ast.Name(id="getattr" | "hasattr"), args=[inner, ast.Constant(value=str(key)), *_]
            ) if key not in _METHODS:
                return self._below(inner, key)
            case ast.Call(func=ast.Attribute(value=inner, attr="to_dict" | "to_yaml_dict")):
                return self.path(inner)
            case ast.IfExp(body=inner):
                return self.path(inner)
        return None

    def _below(self, node: ast.expr, key: str) -> Path | None:
        path = self.path(node)
        return None if path is None else (*path, *key.split("."))

    def _note(self, node: ast.expr) -> None:
        if path := self.path(node):
            self.reader.reads.add(path)

    def _called(self, node: ast.Call) -> Iterator[Found]:
        if isinstance(node.func, ast.Name):
            bound = self.imports.get(node.func.id) or self.module.bindings.get(node.func.id)
            if isinstance(bound, Function):
                yield Found(self.module, node.func.id, bound)
            elif isinstance(bound, Import):
                found = self.reader.sources.find(bound.dotted)
                if found is not None and isinstance(found.node, Function):
                    yield found
        elif isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "self" and self.owner:
            for ancestor in self.reader.sources.line_of_descent(self.owner):
                body = ancestor.node.body if isinstance(ancestor, Found) else []
                for method in body:
                    if isinstance(method, Function) and method.name == node.func.attr:
                        assert isinstance(ancestor, Found)
                        yield Found(ancestor.module, f"{ancestor.name}.{method.name}", method)

    def _bound(self, node: ast.Call, target: Found) -> Iterator[tuple[str, Path]]:
        """The parameters of the called function that get a part of the config."""
        assert isinstance(target.node, Function)
        parameters = [a.arg for a in target.node.args.args]
        if "." in target.name:
            parameters = parameters[1:]
        given = [*zip(parameters, node.args, strict=False), *((k.arg, k.value) for k in node.keywords)]
        for name, value in given:
            if name is not None and (path := self.path(value)) is not None:
                yield name, path
