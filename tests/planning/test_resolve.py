"""From names and arguments to a bound request."""

from __future__ import annotations

from pathlib import Path

import pytest
from envs import cluster, profile
from small import SmallCatalog, codes, failures

from nemotron.planning.placement import Offer
from nemotron.planning.resolve import Wish, resolve


@pytest.fixture
def trainer(small: SmallCatalog, project: Path) -> SmallCatalog:
    run = "run: {gpus: 4, nodes: 2}\na: 1\n"
    small.step("train/one", head="gpus = 8", default="a: 1\n", spread=run, cpu="run: {gpus: 0}\n")
    return small


@pytest.mark.parametrize(
    ("config", "gpus", "nodes", "expected"),
    [
        ("default", None, None, (8, 1)),
        ("spread", None, None, (4, 2)),
        ("spread", 16, None, (16, 2)),
        ("spread", 0, 1, (0, 1)),
        ("cpu", None, None, (0, 1)),
        ("cpu", 2, 3, (2, 3)),
    ],
)
def test_gpus_are_those_of_the_wish_then_the_config_then_the_step(
    trainer: SmallCatalog, config: str, gpus: int | None, nodes: int | None, expected: tuple[int, int]
) -> None:
    request = resolve(Wish("one", config, gpus=gpus, nodes=nodes), trainer.catalog())
    assert (request.gpus, request.nodes) == expected


def test_a_wish_is_looked_up(trainer: SmallCatalog) -> None:
    request = resolve(Wish("one", "spread", ["a=2", "b=3"]), trainer.catalog())
    assert (request.name, request.step.id, request.config_name) == ("train/one", "train/one", "spread")
    assert request.config.tree == {"a": 2, "b": 3}
    assert request.config.source == trainer.root / "train" / "one" / "config" / "spread.yaml"
    assert [o.argument for o in request.overrides] == ["a=2", "b=3"]
    assert "packs" in request.types


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        (Wish("two"), "NMT110"),
        (Wish("one", "smal"), "NMT201"),
        (Wish("one", overrides=["x"]), "NMT205"),
        (Wish("one", overrides=["~x"]), "NMT202"),
    ],
)
def test_what_cannot_be_looked_up_is_reported(trainer: SmallCatalog, wish: Wish, code: str) -> None:
    assert codes(failures(lambda: resolve(wish, trainer.catalog()))) == [code]


def test_gpus_are_those_of_the_profile_before_the_pipelines_hardware(trainer: SmallCatalog) -> None:
    room = Offer(4, 4)
    on = cluster(nodes=2, gpus_per_node=8)
    asked = [
        Wish("one", "spread", offer=room),
        Wish("one", "spread", profile=on, offer=room),
        Wish("one", "spread", gpus=8, profile=on, offer=room),
        Wish("one", "cpu", profile=on, offer=room),
    ]
    requests = [resolve(wish, trainer.catalog()) for wish in asked]
    assert [(r.gpus, r.nodes) for r in requests] == [(16, 4), (16, 2), (8, 1), (0, 1)]


def test_variables_of_the_config_count_before_those_of_the_profile(trainer: SmallCatalog) -> None:
    on = profile(env_vars={"A": "profile", "B": "profile"}, container_image="profile")
    wish = Wish("one", overrides=["run.env_vars.B=argument"], profile=on)
    run = resolve(wish, trainer.catalog()).config.run
    assert run.env_vars == {"A": "profile", "B": "argument"}
    assert run.container_image == "profile"


def test_the_profiles_image_replaces_the_configs_and_an_argument_both(trainer: SmallCatalog) -> None:
    trainer.step("train/two", default="run: {container_image: config}\n")
    on = profile(container_image="profile")
    arguments: list[list[str]] = [[], ["run.container_image=argument"]]
    found = [resolve(Wish("two", overrides=a, profile=on), trainer.catalog()) for a in arguments]
    assert [request.config.run.container_image for request in found] == ["profile", "argument"]
    without = resolve(Wish("two", profile=profile()), trainer.catalog())
    assert without.config.run.container_image == "config"
