"""From names and arguments to a bound request."""

from __future__ import annotations

from pathlib import Path

import pytest
from small import SmallCatalog, codes, failures

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
