"""Which keywords a class or a function takes, from its source alone. Parses files; imports nothing of them.

A dotted name is found as an import would find it: through re-exports, lazy attributes and assignments.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef
# Bases that neither take keywords of their own nor hide any.
_INERT = {
    "object", "ABC", "Protocol", "Generic", "Module", "Dataset", "IterableDataset", "Stateful", "str", "Enum",
}  # fmt: skip


@dataclass(frozen=True)
class Signature:
    """The keywords that a callable names; `open` where it takes any other too (`**kwargs`)."""

    keys: frozenset[str] = frozenset()
    open: bool = False

    def __or__(self, other: Signature) -> Signature:
        return Signature(self.keys | other.keys, self.open or other.open)


@dataclass(frozen=True)
class Import:
    """A name that stands for an attribute of another module."""

    dotted: str


Binding = ast.ClassDef | Function | Import | ast.expr


@dataclass(frozen=True)
class Found:
    """What a dotted name means: the module that defines it, its name there, its definition."""

    module: Module
    name: str
    node: ast.ClassDef | Function

    @property
    def dotted(self) -> str:
        return f"{self.module.name}.{self.name}"


class Module:
    """A parsed module: what its names are bound to."""

    def __init__(self, name: str, file: Path) -> None:
        self.name = name
        self.is_package = file.name == "__init__.py"
        self.tree = ast.parse(file.read_text(encoding="utf-8"))

    @cached_property
    def bindings(self) -> dict[str, Binding]:
        found: dict[str, Binding] = {}
        for statement in _statements(self.tree.body):
            found.update(self._bound_by(statement))
        return found

    def constant(self, name: str) -> object:
        """The value of a module-level literal; f-strings over other literals of the module are resolved."""
        node = self.bindings[name]
        assert isinstance(node, ast.expr), f"{self.name}.{name} is not a literal"
        return self._fold(node)

    def imported_by(self, statement: ast.ImportFrom) -> dict[str, Import]:
        """The names that a `from … import …` in this module binds."""
        origin = self._absolute(statement)
        return {alias.asname or alias.name: Import(f"{origin}.{alias.name}") for alias in statement.names}

    def _bound_by(self, statement: ast.stmt) -> Iterator[tuple[str, Binding]]:
        if isinstance(statement, ast.ClassDef | Function):
            yield statement.name, statement
        elif isinstance(statement, ast.ImportFrom):
            yield from self.imported_by(statement).items()
        elif isinstance(statement, ast.Import):
            for alias in statement.names:
                name = alias.asname or alias.name.split(".")[0]
                yield name, Import(alias.name if alias.asname else name)
        elif isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for name in (target.id for target in targets if isinstance(target, ast.Name)):
                yield name, statement.value
                if name == "_LAZY_ATTRS":
                    for attribute, (module, original) in ast.literal_eval(statement.value).items():
                        yield attribute, Import(f"{module}.{original}")

    def _absolute(self, statement: ast.ImportFrom) -> str:
        if not statement.level:
            return statement.module or ""
        package = self.name.split(".") if self.is_package else self.name.split(".")[:-1]
        base = package[: len(package) - statement.level + 1]
        return ".".join([*base, *([statement.module] if statement.module else [])])

    def _fold(self, node: ast.expr) -> object:
        if isinstance(node, ast.Dict):
            return {self._fold(k): self._fold(v) for k, v in zip(node.keys, node.values, strict=True) if k}
        if isinstance(node, ast.JoinedStr):
            return "".join(str(self._fold(part)) for part in node.values)
        if isinstance(node, ast.FormattedValue):
            return self._fold(node.value)
        if isinstance(node, ast.Name):
            bound = self.bindings[node.id]
            return self._fold(bound) if isinstance(bound, ast.expr) else node.id
        return ast.literal_eval(node)


class Sources:
    """The source of the named packages, each below one of the folders; all else counts as not here."""

    def __init__(self, folders: list[Path], packages: set[str]) -> None:
        self.folders = folders
        self.packages = packages
        self._modules: dict[str, Module | None] = {}

    def module(self, name: str) -> Module | None:
        if name.split(".")[0] not in self.packages:
            return None
        if name not in self._modules:
            self._modules[name] = next(
                (Module(name, file) for file in self._files(name) if file.is_file()), None
            )
        return self._modules[name]

    def modules_below(self, name: str) -> list[Module]:
        """The module and, of a package, every module in it."""
        found = self.module(name)
        if found is None:
            raise SystemExit(f"there is no module {name} below {', '.join(map(str, self.folders))}")
        modules = [found]
        if found.is_package:
            folder = next(f.parent for f in self._files(name) if f.is_file())
            for file in sorted(folder.rglob("*.py")):
                inner = file.relative_to(folder).with_suffix("").parts
                if inner != ("__init__",):
                    dotted = ".".join([name, *(part for part in inner if part != "__init__")])
                    if (module := self.module(dotted)) is not None:
                        modules.append(module)
        return modules

    def find(self, dotted: str) -> Found | None:
        """The class or function that a dotted name means; None when its source is not here."""
        parts = dotted.split(".")
        for end in range(len(parts) - 1, 0, -1):
            module = self.module(".".join(parts[:end]))
            if module is not None:
                return self._inside(module, parts[end:])
        return None

    def signature(self, dotted: str) -> Signature:
        """The keywords of what the name means. SystemExit when it is not in the sources."""
        found = self.find(dotted)
        if found is None:
            raise SystemExit(f"{dotted} is not in the sources")
        return self.signature_of(found)

    def signature_of(self, found: Found) -> Signature:
        if isinstance(found.node, ast.ClassDef):
            return self._of_class(found)
        is_method = "." in found.name and not decorated(found.node, "staticmethod")
        return _of_function(found.node, skip_first=is_method)

    def line_of_descent(self, found: Found) -> Iterator[Found | str]:
        """The class and its bases, nearest first; a base whose source is not here is given as its name."""
        yield found
        assert isinstance(found.node, ast.ClassDef)
        for base in found.node.bases:
            names = ast.unparse(base.value if isinstance(base, ast.Subscript) else base).split(".")
            known = self._inside(found.module, names) if names[-1] not in _INERT else None
            if known is not None and isinstance(known.node, ast.ClassDef):
                yield from self.line_of_descent(known)
            else:
                yield names[-1]

    def class_methods(self, found: Found) -> dict[str, Found]:
        """The public class and static methods of a class, inherited ones too."""
        methods: dict[str, Found] = {}
        for ancestor in self.line_of_descent(found):
            for node in ancestor.node.body if isinstance(ancestor, Found) else []:
                if isinstance(node, Function) and not node.name.startswith("_"):
                    assert isinstance(ancestor, Found)
                    if decorated(node, "classmethod") or decorated(node, "staticmethod"):
                        methods.setdefault(
                            node.name, Found(ancestor.module, f"{ancestor.name}.{node.name}", node)
                        )
        return methods

    def _files(self, name: str) -> list[Path]:
        path = Path(*name.split("."))
        return [
            folder / file
            for folder in self.folders
            for file in (path / "__init__.py", path.with_suffix(".py"))
        ]

    def _inside(self, module: Module, names: list[str]) -> Found | None:
        bound = module.bindings.get(names[0])
        if isinstance(bound, Import):
            return None if bound.dotted == f"{module.name}.{names[0]}" else self._imported(bound, names[1:])
        if isinstance(bound, ast.Name | ast.Attribute):
            return self._inside(module, [*ast.unparse(bound).split("."), *names[1:]])
        if isinstance(bound, ast.ClassDef) and len(names) == 2:
            return self.class_methods(Found(module, names[0], bound)).get(names[1])
        if isinstance(bound, ast.ClassDef | Function) and len(names) == 1:
            return Found(module, names[0], bound)
        return None

    def _imported(self, name: Import, rest: list[str]) -> Found | None:
        return self.find(".".join([name.dotted, *rest]))

    def _of_class(self, found: Found) -> Signature:
        """A class takes what the nearest `__init__`, written or made by `@dataclass`, takes."""
        collected = Signature()
        for ancestor in self.line_of_descent(found):
            if isinstance(ancestor, str):
                if ancestor not in _INERT:
                    return collected | Signature(open=True)
                continue
            written = next((n for n in ancestor.node.body if getattr(n, "name", "") == "__init__"), None)
            if isinstance(written, Function):
                collected |= _of_function(written, skip_first=True)
                if not collected.open:
                    return collected
            elif decorated(ancestor.node, "dataclass"):
                return collected | Signature(frozenset(self._fields(ancestor)))
        return collected

    def _fields(self, found: Found) -> Iterator[str]:
        for ancestor in self.line_of_descent(found):
            if isinstance(ancestor, Found) and decorated(ancestor.node, "dataclass"):
                yield from (_field_names(ancestor.node))


def package_version(sources: Sources, package: str) -> str:
    """A library's version, from its own package_info module."""
    module = sources.module(f"{package}.package_info")
    assert module is not None, f"{package} is not in the folders"
    return ".".join(str(module.constant(name)) for name in ("MAJOR", "MINOR", "PATCH"))


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run when a module is imported, those inside `if` and `try` too."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.If | ast.Try | ast.With):
            for part in ("body", "orelse", "finalbody"):
                yield from _statements(getattr(statement, part, []))
            for handler in getattr(statement, "handlers", []):
                yield from _statements(handler.body)


def decorated(node: ast.AST, name: str) -> bool:
    decorators = [d.func if isinstance(d, ast.Call) else d for d in getattr(node, "decorator_list", [])]
    return any(ast.unparse(decorator).split(".")[-1] == name for decorator in decorators)


def _of_function(node: ast.AST, *, skip_first: bool) -> Signature:
    assert isinstance(node, Function)
    positional = [a.arg for a in node.args.args]
    if skip_first and not node.args.posonlyargs:
        positional = positional[1:]
    keys = {*positional, *(a.arg for a in node.args.kwonlyargs)}
    rest = node.args.kwarg
    return Signature(frozenset(keys | (looked_up(node, rest.arg) if rest else set())), rest is not None)


def looked_up(node: ast.AST, name: str) -> set[str]:
    """The literal keys that a function looks up in the dictionary that it calls `name`."""
    keys: set[str] = set()
    for part in ast.walk(node):
        match part:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id=owner), attr="get" | "pop" | "setdefault"),
                args=[ast.Constant(value=str(key)), *_],
            ) if owner == name:
                keys.add(key)
            case ast.Subscript(
                value=ast.Name(id=owner), slice=ast.Constant(value=str(key)), ctx=ast.Load()
            ) if owner == name:
                keys.add(key)
    return keys


def _field_names(node: ast.AST) -> Iterator[str]:
    for statement in getattr(node, "body", []):
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value):
                kind, default = ast.unparse(annotation), ast.unparse(value) if value else ""
                if "ClassVar" not in kind and "init=False" not in default and name != "_":
                    yield name
