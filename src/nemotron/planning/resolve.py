"""From what a person asks for to a bound request. Reads the catalog, configs and artifacts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from nemotron.catalog.catalog import Catalog
from nemotron.config.layers import Config, RunSection, find_config, resolve_config
from nemotron.config.overrides import parse_overrides
from nemotron.diagnostic import Place
from nemotron.planning.placement import UNSAID, Offer, place
from nemotron.planning.request import Promises, StepRequest, bind
from nemotron.profiles.profile import Profile


@dataclass(frozen=True)
class Wish:
    """One step as it was asked for: names and arguments, nothing looked up yet.

    `profile` is where it runs; `offer` what the pipeline's `hardware` is.
    """

    step: str
    config: str = "default"
    overrides: list[str] = field(default_factory=list)
    gpus: int | None = None
    nodes: int | None = None
    profile: Profile | None = None
    offer: Offer = UNSAID


def resolve(
    wish: Wish,
    catalog: Catalog,
    *,
    bound: dict[str, Any] | None = None,
    places: dict[str, Place] | None = None,
    promises: Promises | None = None,
) -> StepRequest:
    """Look everything up. GPUs and nodes: the wish, the profile, the offer, then the step's own.

    `bound` are config keys that a plan sets, below the overrides; their values may stand for `promises`, and
    `places` say where a pipeline file states them.
    """
    step = catalog.find(wish.step)
    overrides = parse_overrides(wish.overrides)
    config = resolve_config(find_config(step, wish.config), overrides, bound, places)
    offer = Offer.of(wish.profile).over(wish.offer)
    gpus, nodes = place(step, config.run, offer, wish.gpus, wish.nodes)
    request = bind(
        step,
        catalog.types,
        config,
        wish.config,
        gpus=gpus,
        nodes=nodes,
        overrides=overrides,
        promises=promises,
    )
    return request if wish.profile is None else on_profile(request, wish.profile)


def on_profile(request: StepRequest, profile: Profile) -> StepRequest:
    """The same request on a profile, with the GPUs and nodes that it has already."""
    config = replace(request.config, run=_run_section(request.config, profile))
    return replace(request, config=config, profile=profile)


def _run_section(config: Config, profile: Profile) -> RunSection:
    """The `run:` section on a profile: its image unless an argument names one, its variables below ours."""
    place = config.document.place("run.container_image")
    image = config.run.container_image
    is_argument = image is not None and place is not None and place.argument is not None
    if profile.container_image is not None and not is_argument:
        image = profile.container_image
    return replace(config.run, container_image=image, env_vars={**profile.env_vars, **config.run.env_vars})
