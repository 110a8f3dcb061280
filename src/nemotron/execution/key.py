"""The key of a request: what its outputs depend on, hashed. Reads (and caches) digests of inputs."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

from nemotron.artifacts.digest import hash_of
from nemotron.artifacts.facts import input_digest
from nemotron.config.tree import KeyPath, join_key, leaves, split_key
from nemotron.planning.request import StepRequest, fact_keys


def ingredients(request: StepRequest, environment: str) -> dict[str, Any]:
    """Everything that the outputs depend on.

    The step and its version; the config without output paths and the manifest's `key_ignores`, the paths of
    inputs, of parameters and of what states a fact replaced by digests of what lies there; `environment`,
    the digest of the library's lock or the container image. The number of GPUs is not in it.
    """
    tree = copy.deepcopy(request.config.tree)
    manifest = request.step.manifest
    for parameter in manifest.parameters:
        if parameter.type == "path":
            _replace_paths(tree, split_key(parameter.key))
    for key in sorted(fact_keys(request.step, request.types)):
        _replace_paths(tree, split_key(key))
    for bound in request.inputs:
        for source in bound.sources:
            _replace(tree, source.key, source.digest())
    for key in (*(port.at for port in manifest.produces), *manifest.key_ignores):
        _remove(tree, split_key(key))
    return {
        "step": manifest.step.id,
        "version": manifest.step.version,
        "config": tree,
        "environment": environment,
    }


def key_of(parts: dict[str, Any]) -> str:
    """The sha256 of the ingredients."""
    return hash_of(parts)


def what_changed(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """The ingredients that differ, as dotted keys of the config or as words; in order of the config."""
    changed = [name for name in ("version", "environment") if before.get(name) != now.get(name)]
    old = dict(leaves(before.get("config", {})))
    new = dict(leaves(now["config"]))
    paths = [*new, *(path for path in old if path not in new)]
    return changed + [join_key(p) for p in paths if old.get(p, leaves) != new.get(p, leaves)]


def _replace_paths(tree: Any, path: KeyPath) -> None:
    """Put digests in place of a path, or a list of them, that is there; anything else stays."""
    for part in path[:-1]:
        tree = tree.get(part) if isinstance(tree, dict) else None
    if not isinstance(tree, dict) or path[-1] not in tree:
        return
    value = tree[path[-1]]
    if isinstance(value, list):
        tree[path[-1]] = [_digest(item) for item in value]
    else:
        tree[path[-1]] = _digest(value)


def _digest(value: Any) -> Any:
    if isinstance(value, str) and os.path.isabs(value) and os.path.exists(value):
        return input_digest(Path(value))
    return value


def _replace(tree: Any, path: KeyPath, value: Any) -> None:
    for part in path[:-1]:
        tree = tree[part]
    tree[path[-1]] = value


def _remove(tree: Any, path: KeyPath) -> None:
    for part in path[:-1]:
        tree = tree.get(part) if isinstance(tree, dict) else None
        if tree is None:
            return
    if isinstance(tree, dict):
        tree.pop(path[-1], None)
