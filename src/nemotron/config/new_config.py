"""Writing a new config beside the shipped ones: `defaults: default.yaml` and only what differs."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from nemotron.catalog.catalog import Step, is_shipped
from nemotron.config.overrides import Override, apply_overrides
from nemotron.config.tree import Document
from nemotron.diagnostic import Failure, Place, error

_NAME = re.compile(r"^[A-Za-z0-9][\w.-]*$")


def write_new_config(step: Step, name: str, overrides: list[Override], project: Path) -> Path:
    """Write the config and return its path. Failure NMT209 when the name is taken or unusable.

    The file lies in the step's `config/`, or under the project's `configs/<step id>/` when the catalog is
    an installed package.
    """
    if not _NAME.match(name):
        raise Failure(
            error("NMT209", f"'{name}' cannot be a config's name", fix="use letters, digits, - and _")
        )
    default = step.config_folder / "default.yaml"
    shipped = is_shipped(step.folder)
    folder = project / "configs" / step.id if shipped else step.config_folder
    file = folder / f"{name}.yaml"
    if file.exists() or (step.config_folder / f"{name}.yaml").exists():
        raise Failure(
            error(
                "NMT209",
                f"{step.id} already has a config '{name}'",
                where=Place(str(file), 1, 1),
                fix="choose another name, or edit that file",
            )
        )
    document = Document()
    apply_overrides(document, overrides)
    content = {"defaults": str(default) if shipped else "default.yaml", **document.tree}
    folder.mkdir(parents=True, exist_ok=True)
    with open(file, "x", encoding="utf-8") as stream:
        yaml.safe_dump(content, stream, sort_keys=False, allow_unicode=True)
    return file
