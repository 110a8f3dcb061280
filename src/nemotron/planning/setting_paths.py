"""Paths among the settings of a pipeline file: relative to it there, absolute in a request.

Looks whether files exist; reads none.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from nemotron.artifacts.facts import is_hub_name
from nemotron.catalog.catalog import Step
from nemotron.catalog.types import Types
from nemotron.config.tree import MISSING
from nemotron.planning.request import fact_keys

_CONFIGS = (".yaml", ".yml")


def config_from(folder: Path, config: str) -> str:
    """A config that a pipeline file in `folder` names: a path counts from there, a name stays one."""
    path = folder / os.path.expanduser(config)
    return str(path) if path.suffix in _CONFIGS and path.is_file() else config


def settings_from(folder: Path, settings: dict[str, Any], step: Step, types: Types) -> dict[str, Any]:
    """The settings of a step in a pipeline file in `folder`, its relative paths made absolute."""
    manifest = step.manifest
    outputs = {port.at for port in manifest.produces}
    inputs = {port.at for port in manifest.consumes if types[port.type].on_disk}
    inputs |= {parameter.key for parameter in manifest.parameters if parameter.type == "path"}
    facts = fact_keys(step, types)

    def absolute(key: str, value: Any) -> Any:
        if isinstance(value, list):
            return [absolute(key, item) for item in value]
        if isinstance(value, dict) and "path" in value:
            return {**value, "path": absolute(key, value["path"])}
        if not isinstance(value, str) or not _is_relative(value):
            return value
        path = folder / value
        is_there = path.exists() or (key in inputs and (folder / Path(value).parts[0]).exists())
        is_path = key in outputs or is_there or (key in inputs and not is_hub_name(value))
        return str(path) if is_path else value

    named = outputs | inputs | facts
    return {key: absolute(key, value) if key in named else value for key, value in settings.items()}


def as_written(value: Any, folder: Path, resolved: Any = None) -> Any:
    """An absolute path below `folder` as its pipeline file names it; anything else as it is.

    `resolved` is what a relative value came to be in a request.
    """
    if isinstance(value, str) and isinstance(resolved, str) and "${" not in value:
        value = resolved
    if isinstance(value, str) and os.path.isabs(value) and Path(value).is_relative_to(folder):
        return f"./{os.path.relpath(value, folder)}"
    return value


def _is_relative(value: str) -> bool:
    """Not absolute, and nothing that is put together or looked up elsewhere."""
    is_elsewhere = value.startswith(("/", "~")) or "://" in value or "${" in value
    return value not in ("", MISSING) and not is_elsewhere
