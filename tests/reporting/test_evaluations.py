"""Scores side by side: what changed, for better or worse, and what is within the error."""

from __future__ import annotations

from pathlib import Path

import pytest

from nemotron.execution.store import write_json
from nemotron.reporting.evaluations import Comparison, Score, compare


def result(value: float, **more: object) -> dict[str, object]:
    return {"task": "t", "metric": "acc", "filter": None, "value": value, "samples": 100, **more}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path


def compared(folder: Path, *models: list[dict[str, object]]) -> Comparison:
    artifacts = []
    for number, entries in enumerate(models):
        path = folder / str(number)
        path.mkdir()
        evaluated = {"type": "checkpoint_hf", "path": f"model {number}"}
        write_json(path / "results.json", {"version": 1, "evaluated": evaluated, "results": entries})
        artifacts.append((f"evaluate {number}", "", path))
    return compare(artifacts)


def second(comparison: Comparison) -> Score:
    score = comparison.rows[1].scores[0]
    assert score is not None
    return score


@pytest.mark.parametrize(
    ("higher_is_better", "value", "better"),
    [(True, 0.7, True), (True, 0.3, False), (False, 0.7, False), (False, 0.3, True), (None, 0.7, None)],
)
def test_a_change_is_better_or_worse_by_what_the_metric_says(
    results: Path, higher_is_better: bool | None, value: float, better: bool | None
) -> None:
    entries = [[result(v, higher_is_better=higher_is_better)] for v in (0.5, value)]
    assert second(compared(results, *entries)).better is better


def test_a_change_smaller_than_the_error_is_neither(results: Path) -> None:
    entries = [[result(v, stderr=0.02, higher_is_better=True)] for v in (0.50, 0.55)]
    score = second(compared(results, *entries))
    assert (score.better, score.within_error, score.change) == (None, True, pytest.approx(0.05))


def test_a_change_larger_than_the_error_counts(results: Path) -> None:
    entries = [[result(v, stderr=0.02, higher_is_better=True)] for v in (0.50, 0.56)]
    assert second(compared(results, *entries)).better is True


def test_scores_on_other_samples_are_not_compared(results: Path) -> None:
    score = second(compared(results, [result(0.5)], [result(0.9, samples=10)]))
    assert (score.value, score.change, score.better) == (0.9, None, None)


def test_every_metric_has_its_column_and_every_model_its_row(results: Path) -> None:
    found = compared(results, [result(0.5)], [result(0.4, metric="loss"), result(0.6)])
    assert [metric.metric for metric in found.metrics] == ["acc", "loss"]
    assert [row.model for row in found.rows] == ["model 0", "model 1"]
    assert [[s.value if s else None for s in row.scores] for row in found.rows] == [[0.5, None], [0.6, 0.4]]


def test_what_is_no_results_file_is_left_out(tmp_path: Path) -> None:
    odd = tmp_path / "odd"
    odd.mkdir()
    entries = [3, {"task": "t"}, {"task": "t", "metric": "m", "value": "high"}, result(float("nan"))]
    write_json(odd / "results.json", {"results": entries})
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "results.json").write_text('{"results": [', encoding="utf-8")
    paths = [odd, tmp_path / "torn", tmp_path / "nothing"]
    assert compare([("step", "model", path) for path in paths]).rows == ()
