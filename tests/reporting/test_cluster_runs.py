"""A step of a run on a cluster, told by what came home and by what the scheduler said last."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nemotron.catalog.catalog import default_catalog
from nemotron.execution.slurm.states import EXPLAINED, JobState, remember
from nemotron.execution.store import Run, Store
from nemotron.reporting.runs import RunReport, report
from nemotron.reporting.story import tell

PIPELINE = "steps:\n  train: {step: test/trainer}\n"


def run_of(project: Path) -> Run:
    where = {"name": "login", "user": None, "port": None, "identity": None}
    return Store(project / ".nemotron").new_run(
        "train", PIPELINE, executor="slurm", cluster=where, remote="/shared/run"
    )


def told(run: Run, project: Path, state: str | None = None, reason: str = "None") -> RunReport:
    """The report, with the job of the one step in this state."""
    remember(run, {"train": JobState(4, "nmt-train", state, reason)} if state else {})
    return report(run, Store(project / ".nemotron"))


@pytest.mark.parametrize(
    ("state", "reason", "status", "why"),
    [
        ("PENDING", "Dependency", "waiting", ""),
        ("PENDING", "Priority", "waiting", "Priority, says Slurm"),
        ("PENDING", "JobHeldUser", "waiting", "the submission was cut off: its jobs are held"),
        ("PENDING", "BeginTime", "waiting", "it was put back into the queue"),
        ("RUNNING", "None", "running", "job 4"),
        ("COMPLETING", "None", "running", "job 4"),
        ("COMPLETED", "None", "running", "its result cannot be seen yet"),
        ("TIMEOUT", "None", "failed", "Slurm ended it: TIMEOUT"),
        ("CANCELLED", "DependencyNeverSatisfied", "not run", "a step that it needs did not end well"),
        (None, "", "interrupted", "the scheduler does not know its job"),
    ],
)
def test_a_job_without_a_result_is_told_by_its_state(
    state: str | None, reason: str, status: str, why: str, project: Path
) -> None:
    run = run_of(project)
    run.new_attempt("train").config.touch()
    found = told(run, project, state, reason)
    (step,) = found.steps
    assert (step.status, step.why) == (status, why)
    assert found.is_running is (state in ("PENDING", "RUNNING", "COMPLETING"))


def test_a_job_that_was_cancelled_while_it_ran_was_interrupted(project: Path) -> None:
    run = run_of(project)
    run.new_attempt("train").log.write_text("begun\n", encoding="utf-8")
    (step,) = told(run, project, "CANCELLED").steps
    assert (step.status, step.why) == ("interrupted", "cancelled")


def test_what_the_job_wrote_down_counts_more_than_what_slurm_says(project: Path) -> None:
    run = run_of(project)
    attempt = run.new_attempt("train")
    result: dict[str, Any] = {"status": "done", "seconds": 3.0, "outputs": [{"port": "model", "path": "/x"}]}
    attempt.result.write_text(json.dumps(result), encoding="utf-8")
    found = told(run, project, "RUNNING")
    assert (found.steps[0].status, found.steps[0].artifacts) == ("done", {"model": "/x"})


def test_a_failure_is_told_with_what_was_found_out_at_home(project: Path) -> None:
    run = run_of(project)
    attempt = run.new_attempt("train")
    attempt.result.write_text(json.dumps({"status": "failed", "exit_code": 1}), encoding="utf-8")
    explained = {"diagnostics": [{"code": "NMT801", "summary": "it broke"}], "recoveries": [{"id": "glue"}]}
    (attempt.folder / EXPLAINED).write_text(json.dumps(explained), encoding="utf-8")
    found = told(run, project, "FAILED")
    (step,) = found.steps
    assert (found.status, step.why, step.recoveries) == ("failed", "it broke", [{"id": "glue"}])


def test_a_report_has_the_records_and_scores_that_came_home(project: Path) -> None:
    run = run_of(project)
    attempt = run.new_attempt("train")
    made = {"port": "scores", "path": "/shared/artifacts/x", "digest": "d"}
    attempt.result.write_text(json.dumps({"status": "done", "outputs": [made]}), encoding="utf-8")
    producer = {"step": "test/trainer", "version": 1, "run": run.id, "attempt": "1", "key": "k"}
    record = {
        "type": "eval_results",
        "port": "scores",
        "facts": {},
        "digest": "d",
        "files": [],
        "created": "now",
    }
    copies = attempt.folder / "records"
    (copies / "scores").mkdir(parents=True)
    (copies / "scores.json").write_text(json.dumps({**record, "producer": producer}), encoding="utf-8")
    score = {"task": "sums", "metric": "accuracy", "value": 0.5}
    (copies / "scores" / "results.json").write_text(json.dumps({"results": [score]}), encoding="utf-8")
    remember(run, {})
    story = tell(Store(project / ".nemotron"), run, default_catalog())
    assert [(artifact.path, artifact.digest) for artifact in story.artifacts] == [
        ("/shared/artifacts/x", "d")
    ]
    assert [metric.task for metric in story.evaluations.metrics] == ["sums"]


def test_a_step_that_was_not_submitted_is_not_run(project: Path) -> None:
    assert told(run_of(project), project).steps[0].status == "not run"
