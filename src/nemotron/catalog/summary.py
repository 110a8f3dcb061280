"""What a listing says of a step, read without the schema: importing pydantic would take most of the time.

Reads step.toml files. One that does not hold what a listing needs is left to the schema, which says why.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class PortSummary:
    """A port: its name, its artifact type, and whether it must be bound (or is always made)."""

    name: str
    type: str
    required: bool


@dataclass(frozen=True)
class StepSummary:
    """A step as a listing shows it."""

    id: str
    name: str
    summary: str
    library: str | None
    tags: tuple[str, ...]
    consumes: tuple[PortSummary, ...]
    produces: tuple[PortSummary, ...]
    configs: tuple[str, ...]

    @property
    def category(self) -> str:
        return self.id.split("/")[0]


def read_summary(identity: str, folder: Path) -> StepSummary | None:
    """The summary of the step in a folder; None where only the schema can say what is wrong."""
    try:
        table = tomllib.loads((folder / "step.toml").read_text(encoding="utf-8"))
        head = table["step"]
        if head["id"] != identity:
            return None
        return StepSummary(
            id=identity,
            name=str(head["name"]),
            summary=str(head["summary"]),
            library=head.get("library"),
            tags=tuple(head.get("tags", ())),
            consumes=tuple(_port(port) for port in table.get("consumes", ())),
            produces=tuple(_port(port) for port in table.get("produces", ())),
            configs=tuple(config_names(folder / "config")),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def config_names(folder: Path) -> list[str]:
    """The names that `-c` takes, `default` first."""
    names = sorted(path.stem for path in folder.glob("*.yaml"))
    return sorted(names, key=lambda name: name != "default")


def _port(table: dict[str, Any]) -> PortSummary:
    required = table.get("required", True) and not table.get("optional", False) and not table.get("one_of")
    return PortSummary(str(table.get("name", table["type"])), str(table["type"]), bool(required))
