"""Reads the docstrings of Python's standard library; writes nothing.

Modules written in Python are parsed, never imported. Only compiled modules (`math`, `_heapq`) are
imported, because their docstrings exist nowhere else. One Python gives the same entries in the
same order every time; another version or build has other modules, so it gives other entries.
"""

from __future__ import annotations

import ast
import importlib
import importlib.machinery
import importlib.util
import inspect
import re
import sys
import sysconfig
import types
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

# Folders that hold tests, and a package of generated, nearly equal docstrings (the code pages).
SKIPPED_FOLDERS = frozenset({"test", "tests", "idle_test", "encodings", "__pycache__", "site-packages"})
# Poems and pictures, and modules that touch the terminal or the display when imported.
SKIPPED_MODULES = frozenset({"antigravity", "this", "readline", "_tkinter", "_curses", "_curses_panel"})
# A compiled module whose names people import from elsewhere, where the name does not say so.
PUBLIC_NAMES = {
    "_collections_abc": "collections.abc",
    "_elementtree": "xml.etree.ElementTree",
    "_gdbm": "dbm.gnu",
    "_imp": "importlib",
    "_lsprof": "cProfile",
    "_multibytecodec": "codecs",
    "_posixshmem": "multiprocessing.shared_memory",
    "_posixsubprocess": "subprocess",
    "_sre": "re",
    "_threading_local": "threading",
    "_weakrefset": "weakref",
    "posix": "os",
    "pyexpat": "xml.parsers.expat",
}
# Modules that describe the same things as another one.
RELATIVES = {"genericpath": "os", "ntpath": "os", "posixpath": "os", "profile": "cProfile"}
# What compiled modules consist of, besides types.
COMPILED_CALLABLES = (
    types.BuiltinFunctionType,
    types.MethodDescriptorType,
    types.ClassMethodDescriptorType,
)
# A call at the start of an old docstring, such as "acos(x)" or "dict(mapping) -> new dictionary".
CALL_LINE = re.compile(r"^(?:[\w.]+\.)?(\w+)\(.*\)(?:\s*->.*)?$")


@dataclass(frozen=True)
class Entry:
    """One documented thing: `name` is dotted and starts with the module that people import.

    `kind` is module, class, function, method or attribute; `arguments` are the names in its
    signature, without self; `text` is the docstring without indentation or a repeated signature.
    """

    name: str
    kind: str
    arguments: tuple[str, ...]
    text: str

    @property
    def family(self) -> str:
        """The top-level module that this belongs to: `_io` and `_pyio` are `io`, `ntpath` is `os`."""
        top = self.name.split(".", 1)[0]
        return RELATIVES.get(top, top)

    @property
    def summary(self) -> str:
        """The first paragraph, on one line."""
        return " ".join(self.text.split("\n\n", 1)[0].split())

    @property
    def heading(self) -> str:
        """The name as one would write it in code: `heapq.heappush(heap, item)`."""
        called = self.kind in ("function", "method") or self.arguments
        return f"{self.name}({', '.join(self.arguments)})" if called else self.name


def read_entries() -> list[Entry]:
    """Every documented thing of the standard library, sorted by name, each docstring once."""
    found = [*_from_source(Path(sysconfig.get_path("stdlib"))), *_from_compiled_modules()]
    unique: dict[str, Entry] = {}
    for entry in sorted(found, key=lambda entry: (entry.name, entry.kind, entry.text)):
        if any(letter.isalpha() for letter in entry.summary):
            unique.setdefault(" ".join(entry.text.lower().split()), entry)
    return list(unique.values())


def public_name(module: str) -> str:
    """The module that people import for the names of this one: `_heapq` → `heapq`, `posix` → `os`."""
    top, dot, rest = module.partition(".")
    if top in PUBLIC_NAMES:
        return PUBLIC_NAMES[top] + dot + rest
    for candidate in (top.removeprefix("_py"), top.lstrip("_")):
        if candidate != top and candidate in sys.stdlib_module_names:
            return candidate + dot + rest
    return module


def _clean(docstring: object, name: str) -> str:
    """The docstring without indentation and without call lines that only repeat the signature."""
    if not isinstance(docstring, str):
        return ""
    lines = inspect.cleandoc(docstring).splitlines()
    kept = list(lines)
    while kept and (call := CALL_LINE.match(kept[0].strip())) and call[1] == name.rsplit(".", 1)[-1]:
        kept.pop(0)
        while kept and not kept[0].strip():
            kept.pop(0)
    return inspect.cleandoc("\n".join(line.rstrip() for line in kept or lines))


def _entry(name: str, kind: str, arguments: list[str], docstring: object) -> Iterator[Entry]:
    text = _clean(docstring, name)
    if text:
        names = arguments[1:] if arguments[:1] in (["self"], ["cls"], ["mcs"], ["type"]) else arguments
        yield Entry(name, kind, tuple(names), text)


# --- modules written in Python ---


def _from_source(library: Path) -> Iterator[Entry]:
    for path in sorted(library.rglob("*.py")):
        parts = path.relative_to(library).with_suffix("").parts
        if parts[0] not in sys.stdlib_module_names or parts[0] in SKIPPED_MODULES:
            continue
        if SKIPPED_FOLDERS.intersection(parts[:-1]):
            continue
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):
            continue  # templates, and samples of broken code
        module = public_name(".".join(part for part in parts if part != "__init__"))
        yield from _entry(module, "module", [], ast.get_docstring(tree, clean=False))
        yield from _from_body(tree, module, inside_class=False)


def _from_body(node: ast.AST, prefix: str, *, inside_class: bool) -> Iterator[Entry]:
    """Classes and functions at any depth of `if` and `try`, but not those inside functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            name = f"{prefix}.{child.name}"
            yield from _entry(name, "class", [], ast.get_docstring(child, clean=False))
            yield from _from_body(child, name, inside_class=True)
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            kind = "method" if inside_class else "function"
            if any(isinstance(one, ast.Name) and one.id == "property" for one in child.decorator_list):
                kind = "attribute"
            docstring = ast.get_docstring(child, clean=False)
            yield from _entry(f"{prefix}.{child.name}", kind, _argument_names(child.args), docstring)
        else:
            yield from _from_body(child, prefix, inside_class=inside_class)


def _argument_names(arguments: ast.arguments) -> list[str]:
    names = [one.arg for one in (*arguments.posonlyargs, *arguments.args)]
    names += [f"*{arguments.vararg.arg}"] if arguments.vararg else []
    names += [one.arg for one in arguments.kwonlyargs]
    return names + ([f"**{arguments.kwarg.arg}"] if arguments.kwarg else [])


# --- compiled modules ---


def _from_compiled_modules() -> Iterator[Entry]:
    for name in _compiled_module_names():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                module = importlib.import_module(name)
            except ImportError:
                continue
        public = public_name(name)
        yield from _entry(public, "module", [], module.__doc__)
        for member in sorted(vars(module)):
            value = vars(module)[member]
            if getattr(value, "__module__", name) in (name, public, None):
                yield from _from_object(value, f"{public}.{member}", inside_class=False)


def _compiled_module_names() -> list[str]:
    """Built-in and extension modules, less those for CPython's own tests."""
    names = sorted(sys.stdlib_module_names - SKIPPED_MODULES)
    return [
        name
        for name in names
        if "test" not in name and not name.startswith(("xx", "_xx")) and _is_compiled(name)
    ]


def _is_compiled(name: str) -> bool:
    if name in sys.builtin_module_names:
        return True
    spec = importlib.util.find_spec(name)  # looks for the file of a top-level name, and imports nothing
    return spec is not None and isinstance(spec.loader, importlib.machinery.ExtensionFileLoader)


def _from_object(value: object, name: str, *, inside_class: bool) -> Iterator[Entry]:
    if isinstance(value, classmethod | staticmethod):
        value = value.__func__
    if isinstance(value, type):
        if inside_class:
            return  # a reference to another class, such as a base exception
        yield from _entry(name, "class", _signature_names(value), value.__doc__)
        for member in sorted(vars(value)):
            if not member.startswith("__"):  # the operators' docstrings are the same everywhere
                yield from _from_object(vars(value)[member], f"{name}.{member}", inside_class=True)
    elif isinstance(value, types.GetSetDescriptorType | types.MemberDescriptorType):
        yield from _entry(name, "attribute", [], value.__doc__)
    elif isinstance(value, COMPILED_CALLABLES):
        kind = "method" if inside_class else "function"
        yield from _entry(name, kind, _signature_names(value), value.__doc__)


def _signature_names(value: Callable[..., object]) -> list[str]:
    """Names of the arguments where the compiled code tells them, else none."""
    try:
        parameters = inspect.signature(value).parameters.values()
    except (ValueError, TypeError, AttributeError):
        return []  # no signature, or one with a default that this platform lacks
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    return [stars.get(one.kind, "") + one.name for one in parameters]
