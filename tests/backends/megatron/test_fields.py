"""Fields of config classes set from a tree: what is unknown or of another type is an error at its place."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Literal, Optional

import pytest

from nemotron.backends.job import JobError
from nemotron.backends.megatron.fields import Setter


class Kernel(Enum):
    flash = 1
    local = 2


@dataclass
class Overlap:
    enabled: bool
    ranks: list[int] = field(default_factory=list)


@dataclass
class Model:
    num_layers: int = 2
    dropout: float = 0.1
    kernel: Kernel = Kernel.flash
    stages: Optional[int] = None  # noqa: UP045  the library writes its types so
    method: Literal["uniform", "block"] | None = None
    cache: str | Path | None = None
    window: tuple[int, int] | None = None
    overlap: Overlap | None = None
    activation: Any = None
    steps: int = field(init=False, default=0)


@dataclass
class Data:
    """As the library's own: a field under another name, by a property."""

    sequence_length: int = 1

    @property
    def seq_length(self) -> int:
        return self.sequence_length

    @seq_length.setter
    def seq_length(self, value: int) -> None:
        self.sequence_length = value


@dataclass
class Container:
    model: Model = field(default_factory=Model)
    data: Data = field(default_factory=Data)


CONFIG = """\
model:
  num_layers: 4
  overlap: {enabled: true, rnaks: [1]}
"""


@pytest.fixture
def setter(tmp_path: Path) -> Setter:
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG, encoding="utf-8")
    return Setter(file)


def refusal(setter: Setter, tree: dict[str, Any]) -> JobError:
    with pytest.raises(JobError) as caught:
        setter.set_all(Container(), tree, ())
    return caught.value


def test_values_are_set_in_nested_sections_and_through_properties(setter: Setter) -> None:
    container = Container()
    model = {
        "num_layers": 6,
        "dropout": 0,
        "kernel": "local",
        "stages": 2,
        "cache": "there",
        "window": [1, 2],
    }
    tree = {"model": {**model, "overlap": {"enabled": True, "ranks": [0, 1]}}, "data": {"seq_length": 64}}
    setter.set_all(container, tree, ())
    assert container.model == Model(6, 0.0, Kernel.local, 2, None, "there", (1, 2), Overlap(True, [0, 1]))
    assert type(container.model.dropout) is float
    assert container.data.sequence_length == 64


def test_null_takes_a_value_away_where_there_may_be_none(setter: Setter) -> None:
    container = Container(Model(stages=3, overlap=Overlap(True)))
    setter.set_all(container, {"model": {"stages": None, "overlap": None}}, ())
    assert (container.model.stages, container.model.overlap) == (None, None)


def test_an_unknown_field_is_named_with_its_place_and_the_nearest(setter: Setter) -> None:
    problem = refusal(setter, {"model": {"overlap": {"enabled": True, "rnaks": [1]}}})
    assert (problem.code, problem.line) == ("NMT841", 3)
    assert "model.overlap.rnaks" in problem.summary
    assert "'ranks'" in problem.summary
    assert problem.fix == "use model.overlap.ranks"


def test_a_field_that_is_computed_cannot_be_set(setter: Setter) -> None:
    assert refusal(setter, {"model": {"steps": 3}}).code == "NMT841"


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("num_layers", "four", "an integer"),
        ("num_layers", True, "an integer"),
        ("num_layers", None, "an integer"),
        ("dropout", "0.1", "a number"),
        ("kernel", "fast", "flash, local"),
        ("method", "whole", "uniform, block"),
        ("stages", [2], "an integer"),
        ("overlap", {"ranks": [1]}, "lacks enabled"),
        ("overlap", {"enabled": 1}, "true or false"),
    ],
)
def test_a_value_of_another_type_is_refused(setter: Setter, key: str, value: Any, wanted: str) -> None:
    problem = refusal(setter, {"model": {key: value}})
    assert problem.code == "NMT842"
    assert wanted in problem.summary
