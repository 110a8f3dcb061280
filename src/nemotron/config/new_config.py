"""Writing a new config beside the shipped ones: `defaults: default.yaml` and only what differs."""

from __future__ import annotations

import re
from pathlib import Path

from nemotron.catalog.catalog import Step, is_shipped
from nemotron.config.overrides import Override, apply_overrides
from nemotron.config.secrets import looks_secret
from nemotron.config.tree import Document, join_key, leaves
from nemotron.config.yaml_places import dump_yaml
from nemotron.diagnostic import Failure, Place, error

# The file beside a step's configs that tells an editor what they may hold, and the line that names it.
SCHEMA = "schema.json"
MODELINE = "# yaml-language-server: $schema={}"
_NAME = re.compile(r"[A-Za-z0-9][\w-]*(?:\.[\w-]+)*")


def write_new_config(step: Step, name: str, overrides: list[Override], project: Path) -> Path:
    """Write the config and return its path.

    Failure NMT209 when the name is taken or unusable, NMT701 when a value looks like a secret.

    The file lies in the step's `config/`, or under the project's `configs/<step id>/` when the catalog is
    an installed package.
    """
    if not _NAME.fullmatch(name) or name.endswith((".yaml", ".yml")):
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
    _refuse_secrets(document)
    content = {"defaults": str(default) if shipped else "default.yaml", **document.tree}
    folder.mkdir(parents=True, exist_ok=True)
    with open(file, "x", encoding="utf-8") as stream:
        stream.write(_modeline(step, shipped) + dump_yaml(content))
    return file


def _modeline(step: Step, shipped: bool) -> str:
    """The first line of the config, where the step has a schema."""
    schema = step.config_folder / SCHEMA
    return MODELINE.format(schema if shipped else SCHEMA) + "\n" if schema.is_file() else ""


def _refuse_secrets(document: Document) -> None:
    for path, value in leaves(document.tree):
        if looks_secret(join_key(path), value):
            raise Failure(
                error(
                    "NMT701",
                    f"'{join_key(path)}' holds what looks like a secret, which is not written to a file",
                    where=document.place(path),
                    fix=f"{join_key(path)}='${{oc.env:NAME}}'",
                )
            )
