"""A pipeline's own results: `.nemotron/runs/<run>/status.json`, whole after every step. Writes that file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemotron.checking.render import as_dict
from nemotron.execution.store import Run, write_json

if TYPE_CHECKING:
    from nemotron.execution.pipeline_result import StepResult


def status_file(run: Run) -> Path:
    return run.folder / "status.json"


def write_status(run: Run, results: Iterable[StepResult]) -> None:
    """Record how each step that the run has come to ended."""
    write_json(status_file(run), {"steps": [step_entry(result) for result in results]})


def step_entry(result: StepResult) -> dict[str, Any]:
    """One step's result as data."""
    outcome = result.outcome
    return {
        "name": result.name,
        "step": result.step,
        "status": result.status,
        "why": result.why,
        "seconds": round(outcome.seconds, 3) if outcome else 0.0,
        "artifacts": {made.port: str(made.path) for made in outcome.made} if outcome else {},
        "diagnostics": [as_dict(d) for d in result.diagnostics],
        "recoveries": [asdict(r) for r in outcome.recoveries] if outcome else [],
    }
