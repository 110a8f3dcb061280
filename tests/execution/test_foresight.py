"""What a run would do is what the run then does."""

from __future__ import annotations

from pathlib import Path

import pytest
from catalogs.pipelines import Branches, run_branches, statuses

from nemotron.catalog.catalog import default_catalog
from nemotron.execution.foresight import foresee
from nemotron.execution.pipeline_result import Wanted, selected
from nemotron.execution.store import Store
from nemotron.planning.pipeline import read_pipeline

RUNS = {"run": "done", "skipped": "skipped", "not run": "not run"}


def foreseen(branches: Branches, start: str | None = None, only: str | None = None) -> dict[str, str]:
    catalog = default_catalog()
    pipeline = read_pipeline(branches.file, catalog)
    wanted = Wanted(selected(pipeline, start, only))
    return {each.name: RUNS[each.fate] for each in foresee(pipeline, catalog, Store.of_project(), wanted)}


@pytest.mark.parametrize(
    ("step", "settings", "choice"),
    [
        ("first", {}, {}),
        ("left", {"times": 5}, {}),
        ("right", {"minimum": 2}, {}),
        ("right", {"note": "the key ignores this"}, {}),
        ("right", {"minimum": 2}, {"only": "left"}),
        ("left", {"times": 5}, {"start": "left"}),
        ("first", {"times": 5}, {"only": "first"}),
    ],
)
def test_the_forecast_comes_true(
    branches: Branches, step: str, settings: dict[str, object], choice: dict[str, str]
) -> None:
    assert foreseen(branches) == dict.fromkeys(statuses(run_branches(branches)), "done")
    branches.change(step, **settings)
    forecast = foreseen(branches, **choice)
    assert forecast == statuses(run_branches(branches, **choice))


def test_nothing_is_written(branches: Branches, project: Path) -> None:
    foreseen(branches)
    assert list((project / ".nemotron").iterdir()) == []
