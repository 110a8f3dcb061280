"""Evaluations side by side: what each model scored on each task. Reads results.json of artifacts."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nemotron.execution.store import read_json


@dataclass(frozen=True)
class Score:
    """One metric of one task. `change` is against the first model of the table.

    `better` is None where the task does not say, or the change is `within_error`: 1.96 standard errors.
    """

    value: float
    stderr: float | None
    samples: int | None
    change: float | None = None
    better: bool | None = None
    within_error: bool = False


@dataclass(frozen=True)
class Metric:
    """A column: `higher_is_better` where the task says so."""

    task: str
    metric: str
    filter: str | None
    higher_is_better: bool | None


@dataclass(frozen=True)
class Evaluation:
    """A row: the step that evaluated, what it evaluated, and the scores in the order of the columns."""

    step: str
    model: str
    path: str
    scores: tuple[Score | None, ...]


@dataclass(frozen=True)
class Comparison:
    """The whole table, the models in the order in which the pipeline evaluates them."""

    metrics: tuple[Metric, ...]
    rows: tuple[Evaluation, ...]


def compare(artifacts: Iterable[tuple[str, str, Path]]) -> Comparison:
    """The table of (step, what it evaluated, artifact); what holds no results.json is left out."""
    found: list[tuple[str, str, Path, dict[Metric, Score]]] = []
    for step, model, path in artifacts:
        told = read_json(path / "results.json" if path.is_dir() else path)
        scores = dict(_scores(told)) if isinstance(told, dict) else {}
        if scores:
            evaluated = told.get("evaluated")
            name = model or _name(evaluated if isinstance(evaluated, dict) else {})
            found.append((step, name, path, scores))
    metrics = tuple(dict.fromkeys(metric for *_, scores in found for metric in scores))
    first = found[0][3] if found else {}
    rows = []
    for position, (step, model, path, scores) in enumerate(found):
        cells = [_against(m, scores.get(m), first.get(m) if position else None) for m in metrics]
        rows.append(Evaluation(step, model, str(path), tuple(cells)))
    return Comparison(metrics, tuple(rows))


def _scores(told: dict[str, Any]) -> Iterable[tuple[Metric, Score]]:
    entries = told.get("results")
    for entry in entries if isinstance(entries, list) else ():
        match entry:
            case {"task": str(task), "metric": str(metric), "value": int() | float() as value}:
                kind, up, samples = (entry.get(key) for key in ("filter", "higher_is_better", "samples"))
                column = Metric(
                    task,
                    metric,
                    kind if isinstance(kind, str) else None,
                    up if isinstance(up, bool) else None,
                )
                count = samples if isinstance(samples, int) else None
                if math.isfinite(value):
                    yield column, Score(float(value), _stderr(entry.get("stderr")), count)


def _stderr(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _against(metric: Metric, score: Score | None, first: Score | None) -> Score | None:
    """A score with its change; none where the two were not taken on the same number of samples."""
    if score is None or first is None or score.samples != first.samples:
        return score
    change = score.value - first.value
    up = metric.higher_is_better
    noise = 1.96 * math.hypot(score.stderr or 0.0, first.stderr or 0.0)
    within = noise > 0 and abs(change) <= noise
    better = None if up is None or change == 0 or within else (change > 0) == up
    return Score(score.value, score.stderr, score.samples, change, better, within)


def _name(evaluated: dict[str, Any]) -> str:
    return str(evaluated.get("model") or evaluated.get("path") or evaluated.get("url") or "?")
