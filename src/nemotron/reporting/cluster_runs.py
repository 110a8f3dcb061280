"""A step of a run on a cluster: by its attempt, as far as it was brought home, and by its job's state."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nemotron.execution.slurm.states import EXPLAINED, JobState
from nemotron.execution.store import Attempt, Run, read_json, slug
from nemotron.reporting.attempts import StepReport, last_line, modified, of_result

_WAITING = {
    "Dependency": "",
    "BeginTime": "it was put back into the queue",
    "JobHeldUser": "the submission was cut off: its jobs are held",
}


def cluster_step(run: Run, name: str, step: str, jobs: Mapping[str, JobState]) -> StepReport:
    """What became of a step. What the job wrote down itself counts more than what Slurm says."""
    attempts = run.attempts(name)
    if not attempts:
        return StepReport(name, step, "not run")
    newest, job = attempts[0], jobs.get(slug(name))
    if newest.result.exists():
        return _explained(of_result(name, step, newest), newest)
    if job is None:
        why = "the scheduler does not know its job"
        return StepReport(name, step, "interrupted", why, attempt=newest)
    if job.is_alive:
        return _living(name, step, newest, job)
    return _over(name, step, newest, job)


def _living(name: str, step: str, attempt: Attempt, job: JobState) -> StepReport:
    if job.state in ("PENDING", "CONFIGURING", "REQUEUED"):
        why = _WAITING.get(job.reason, f"{job.reason}, says Slurm")
        return StepReport(name, step, "waiting", why, progress=last_line(attempt), attempt=attempt)
    began = modified(attempt.config)
    seconds = max(0.0, time.time() - began) if attempt.log.exists() else 0.0
    progress = last_line(attempt)
    return StepReport(name, step, "running", f"job {job.id}", seconds, progress=progress, attempt=attempt)


def _over(name: str, step: str, attempt: Attempt, job: JobState) -> StepReport:
    """A job that left the queue without a result that can be seen from here."""
    progress = last_line(attempt)
    if job.state == "COMPLETED":
        why = "its result cannot be seen yet"
        return StepReport(name, step, "running", why, progress=progress, attempt=attempt)
    if job.state == "CANCELLED":
        status = "interrupted" if attempt.log.exists() else "not run"
        why = "a step that it needs did not end well" if job.reason.startswith("Dependency") else "cancelled"
        return StepReport(name, step, status, why, progress=progress, attempt=attempt)
    found = StepReport(
        name, step, "failed", f"Slurm ended it: {job.state}", progress=progress, attempt=attempt
    )
    return _explained(found, attempt)


def _explained(found: StepReport, attempt: Attempt) -> StepReport:
    """The report with what was found out here about a failure."""
    told: Any = read_json(attempt.folder / EXPLAINED)
    if not isinstance(told, dict) or found.diagnostics:
        return found
    diagnostics = told.get("diagnostics", [])
    why = diagnostics[0]["summary"] if diagnostics else found.why
    return replace(found, why=why, diagnostics=diagnostics, recoveries=told.get("recoveries", []))
