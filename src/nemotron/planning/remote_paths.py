"""The paths of this machine in a request, and its config as a cluster knows them. Looks for files."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nemotron.config.tree import KeyPath, leaves, split_key
from nemotron.planning.request import StepRequest, fact_keys
from nemotron.profiles.mounts import to_cluster
from nemotron.profiles.profile import Profile


def local_paths(request: StepRequest) -> Iterator[tuple[KeyPath, Path]]:
    """Every path in the config, which `bind` made absolute: what the manifest calls one, and what exists."""
    manifest = request.step.manifest
    stated = fact_keys(request.step, request.types) | {p.key for p in manifest.parameters if p.type == "path"}
    stated |= {port.at for port in manifest.consumes} | {port.at for port in manifest.produces}
    named = [split_key(key) for key in stated]
    for path, value in leaves(request.config.tree):
        if not isinstance(value, str) or not os.path.isabs(value) or len(Path(value).parts) < 2:
            continue
        if any(path[: len(key)] == key for key in named) or os.path.exists(value):
            yield path, Path(value)


def config_on_cluster(request: StepRequest, profile: Profile) -> dict[str, Any]:
    """A copy of the config with every path as the cluster knows it; NMT625 tells those that it does not."""
    tree = copy.deepcopy(request.config.tree)
    for path, local in local_paths(request):
        there = to_cluster(local, profile)
        if there is not None:
            _assign(tree, path, there)
    return tree


def _assign(tree: Any, path: KeyPath, value: str) -> None:
    for part in path[:-1]:
        tree = tree[part]
    tree[path[-1]] = value
