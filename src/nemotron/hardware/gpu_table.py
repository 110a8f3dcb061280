"""Kinds of GPU: their memory, and how many a usual node has. Reads `gpus.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from nemotron.diagnostic import Failure, error
from nemotron.nearest import did_you_mean

TABLE = Path(__file__).parent / "gpus.toml"


@dataclass(frozen=True)
class GpuKind:
    """One kind of GPU; memory in GiB."""

    name: str
    memory_gib: float
    per_node: int


@cache
def gpu_kinds() -> dict[str, GpuKind]:
    """Every kind, by its name in lower case."""
    tables = tomllib.loads(TABLE.read_text(encoding="utf-8"))["gpus"]
    return {name: GpuKind(name, float(t["memory_gib"]), int(t["per_node"])) for name, t in tables.items()}


def find_kind(name: str) -> GpuKind | None:
    """The kind of that name, however it is written (`H-100`); None where the table has none."""
    return gpu_kinds().get(name.lower().replace("-", "").replace(" ", ""))


def gpu_kind(name: str) -> GpuKind:
    """The kind of that name; Failure NMT284 with the nearest."""
    kinds, found = gpu_kinds(), find_kind(name)
    if found is None:
        fix = did_you_mean(name.lower(), kinds) or f"known: {', '.join(sorted(kinds))}"
        raise Failure(error("NMT284", f"there is no GPU kind '{name}'", fix=fix))
    return found
