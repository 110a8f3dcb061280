"""`${…}` in values, by OmegaConf. Reads the environment; a secret-named variable stays unresolved."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

from nemotron.config.secrets import is_secret_variable
from nemotron.config.tree import MISSING, Document, KeyPath, join_key, leaves
from nemotron.diagnostic import Diagnostic, Place, error

_NO_DEFAULT = object()
_REFERENCE = re.compile(r"\$\{([A-Za-z_][\w.-]*)\}")
# What stands for a secret while OmegaConf resolves: no text of a config holds a NUL.
_HELD = re.compile("\x00([^\x00]*)\x00")


def interpolate(document: Document) -> tuple[list[Diagnostic], set[KeyPath]]:
    """Resolve every interpolation in place. What cannot be resolved is returned, with the key's place.

    What refers to a missing value is missing too: the paths of those values are returned as well.
    """
    pending = {
        path: value for path, value in leaves(document.tree) if isinstance(value, str) and "${" in value
    }
    if not pending:
        return [], set()
    from omegaconf import OmegaConf
    from omegaconf.errors import InterpolationToMissingValueError

    OmegaConf.register_resolver("oc.env", _variable, replace=True, annotation_validation="off")
    problems = list(_unreadable(document, pending))
    config = OmegaConf.create(document.tree)
    resolved: dict[KeyPath, Any] = {}
    following: set[KeyPath] = set()
    for path, value in pending.items():
        try:
            resolved[path] = _release(_select(config, path))
        except InterpolationToMissingValueError:
            resolved[path] = MISSING
        except Exception as problem:
            problems.append(_unresolved(join_key(path), value, problem, document.place(path)))
    for path, value in resolved.items():
        _put(document.tree, path, value)
        following |= {below for below, found in leaves(value, path) if found == MISSING}
    return problems, following


def references(document: Document) -> dict[KeyPath, str]:
    """The values that are wholly a reference to another key, before they are resolved: path → that key."""
    found = (
        (path, _REFERENCE.fullmatch(value)) for path, value in leaves(document.tree) if isinstance(value, str)
    )
    return {path: match[1] for path, match in found if match is not None}


def _unreadable(document: Document, pending: dict[KeyPath, str]) -> Iterator[Diagnostic]:
    """Take what OmegaConf cannot parse, and references to artifacts, out of the tree and out of `pending`."""
    from omegaconf import OmegaConf

    for path, value in list(pending.items()):
        place = document.place(path)
        try:
            OmegaConf.create({"value": value})
            found = _artifact_reference(join_key(path), place) if "${art:" in value else None
        except Exception as problem:
            found = _unresolved(join_key(path), value, problem, place)
        if found is not None:
            yield found
            del pending[path]
            _put(document.tree, path, None)


def _variable(name: str, default: Any = _NO_DEFAULT) -> Any:
    """`oc.env`, except that a secret gives a mark in its place."""
    if is_secret_variable(name) and (name in os.environ or default is _NO_DEFAULT):
        return f"\x00{name}\x00"
    if name in os.environ:
        return os.environ[name]
    if default is _NO_DEFAULT:
        raise KeyError(f"Environment variable '{name}' not found")
    return None if default is None else str(default)


def _select(config: Any, path: KeyPath) -> Any:
    from omegaconf import OmegaConf

    for part in path:
        config = config[part]
    return OmegaConf.to_container(config, resolve=True) if OmegaConf.is_config(config) else config


def _release(value: Any) -> Any:
    """The value with references to secrets in place of their marks."""
    if isinstance(value, dict):
        return {key: _release(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_release(item) for item in value]
    return _HELD.sub(r"${oc.env:\1}", value) if isinstance(value, str) else value


def _put(tree: Any, path: KeyPath, value: Any) -> None:
    for part in path[:-1]:
        tree = tree[part]
    tree[path[-1]] = value


def _artifact_reference(key: str, place: Place | None) -> Diagnostic:
    return error(
        "NMT207",
        f"'{key}' refers to an artifact by ${{art:…}}, which a config of one step cannot know",
        where=place,
        fix=f"bind the input instead: {key}=PATH",
    )


def _unresolved(key: str, value: str, problem: Exception, place: Place | None) -> Diagnostic:
    reason = str(problem).replace("\x00", "").splitlines()[0]
    variable = re.search(r"Environment variable '(\w+)' not found", reason)
    fix = f"export {variable[1]}=…, or write ${{oc.env:{variable[1]},DEFAULT}}" if variable else ""
    summary = f"'{key}' cannot be resolved: {reason}"
    return error("NMT206", summary, detail=f"the value is {value}", where=place, fix=fix)
