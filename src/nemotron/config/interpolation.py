"""`${…}` in values, by OmegaConf. Reads the environment; a secret-named variable stays unresolved."""

from __future__ import annotations

import os
import re
from typing import Any

from nemotron.config.secrets import is_secret_variable
from nemotron.config.tree import MISSING, Document, join_key, leaves
from nemotron.diagnostic import Diagnostic, Place, error

_SECRET_REFERENCE = re.compile(r"\$\{oc\.env:([A-Za-z_]\w*)(?:,([^{}]*))?\}")
_HELD = re.compile("\x00([A-Za-z_]\\w*)\x00")


def interpolate(document: Document) -> list[Diagnostic]:
    """Resolve every interpolation in place; what cannot be resolved is returned, with the key's place."""
    pending = [
        (path, value) for path, value in leaves(document.tree) if isinstance(value, str) and "${" in value
    ]
    if not pending:
        return []
    from omegaconf import OmegaConf

    problems: list[Diagnostic] = []
    config = OmegaConf.create(_hold_secrets(document.tree))
    for path, value in pending:
        place = document.place(path)
        if "${art:" in value:
            problems.append(_artifact_reference(join_key(path), place))
            continue
        try:
            resolved = OmegaConf.select(config, _omegaconf_key(path), throw_on_missing=False)
        except Exception as problem:
            problems.append(_unresolved(join_key(path), value, problem, place))
            continue
        if OmegaConf.is_config(resolved):
            resolved = OmegaConf.to_container(resolved, resolve=True)
        _put(document.tree, path, MISSING if resolved is None and MISSING in value else _release(resolved))
    return problems


def _hold_secrets(value: Any) -> Any:
    """A copy in which references to secrets are marks that OmegaConf passes through."""
    if isinstance(value, dict):
        return {key: _hold_secrets(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_hold_secrets(item) for item in value]
    return _SECRET_REFERENCE.sub(_hold, value) if isinstance(value, str) else value


def _hold(match: re.Match[str]) -> str:
    name, default = match.group(1), match.group(2)
    if not is_secret_variable(name):
        return match.group(0)
    if name not in os.environ and default is not None:
        return default
    return f"\x00{name}\x00"


def _release(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _release(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_release(item) for item in value]
    return _HELD.sub(r"${oc.env:\1}", value) if isinstance(value, str) else value


def _put(tree: Any, path: tuple[str | int, ...], value: Any) -> None:
    for part in path[:-1]:
        tree = tree[part]
    tree[path[-1]] = value


def _omegaconf_key(path: tuple[str | int, ...]) -> str:
    return "".join(f"[{part}]" for part in path)


def _artifact_reference(key: str, place: Place | None) -> Diagnostic:
    return error(
        "NMT207",
        f"'{key}' refers to an artifact by ${{art:…}}, which a config of one step cannot know",
        where=place,
        fix=f"bind the input instead: {key}=PATH",
    )


def _unresolved(key: str, value: str, problem: Exception, place: Place | None) -> Diagnostic:
    reason = str(problem).splitlines()[0]
    variable = re.search(r"Environment variable '(\w+)' not found", reason)
    fix = f"export {variable[1]}=…, or write ${{oc.env:{variable[1]},DEFAULT}}" if variable else ""
    summary = f"'{key}' cannot be resolved: {reason}"
    return error("NMT206", summary, detail=f"the value is {value}", where=place, fix=fix)
