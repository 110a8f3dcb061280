"""From what a person asks for to a bound request. Reads the catalog, configs and artifacts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nemotron.catalog.catalog import Catalog
from nemotron.config.layers import find_config, resolve_config
from nemotron.config.overrides import parse_overrides
from nemotron.diagnostic import Place
from nemotron.planning.request import Promises, StepRequest, bind


@dataclass(frozen=True)
class Wish:
    """One step as it was asked for: names and arguments, nothing looked up yet."""

    step: str
    config: str = "default"
    overrides: list[str] = field(default_factory=list)
    gpus: int | None = None
    nodes: int | None = None


def resolve(
    wish: Wish,
    catalog: Catalog,
    *,
    bound: dict[str, Any] | None = None,
    places: dict[str, Place] | None = None,
    promises: Promises | None = None,
) -> StepRequest:
    """Look everything up. GPUs and nodes: the wish, then the config's `run:`, then the manifest.

    `bound` are config keys that a plan sets, below the overrides; their values may stand for `promises`, and
    `places` say where a pipeline file states them.
    """
    step = catalog.find(wish.step)
    overrides = parse_overrides(wish.overrides)
    config = resolve_config(find_config(step, wish.config), overrides, bound, places)
    wanted = (wish.gpus, config.run.gpus, step.manifest.step.gpus)
    gpus = next(number for number in wanted if number is not None)
    nodes = wish.nodes or config.run.nodes or 1
    return bind(
        step,
        catalog.types,
        config,
        wish.config,
        gpus=gpus,
        nodes=nodes,
        overrides=overrides,
        promises=promises,
    )
