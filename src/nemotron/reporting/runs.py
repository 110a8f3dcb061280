"""What became of runs: how each step ended, also where its runner was killed. Reads the run store, /proc."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nemotron.config.yaml_places import read_yaml
from nemotron.diagnostic import Failure, error
from nemotron.execution.living import Unfinished, host_of, runner_of, unfinished
from nemotron.execution.slurm.cluster import is_on_cluster
from nemotron.execution.slurm.states import is_alive, remembered
from nemotron.execution.status import status_file
from nemotron.execution.store import Attempt, Run, Store, read_json
from nemotron.nearest import nearest
from nemotron.reporting.attempts import StepReport, last_line, modified, of_result
from nemotron.reporting.cluster_runs import cluster_step

ENDED_WELL = ("done", "skipped")


@dataclass(frozen=True)
class RunReport:
    """A run: what it is called, when it began, its steps, and whether a process is at work on it."""

    run: Run
    name: str
    started: datetime | None
    steps: list[StepReport]
    is_running: bool

    @property
    def status(self) -> str:
        """running, done, failed or interrupted."""
        if self.is_running:
            return "running"
        if any(step.status == "failed" or step.diagnostics for step in self.steps):
            return "failed"
        # What was not asked for was not left undone.
        ended = [step.status in ENDED_WELL or (step.status == "not run" and step.why) for step in self.steps]
        return "done" if self.done and all(ended) else "interrupted"

    @property
    def seconds(self) -> float:
        """How long its steps took, those that it skipped left out."""
        return sum(step.seconds for step in self.steps)

    @property
    def done(self) -> int:
        return sum(step.status in ENDED_WELL for step in self.steps)


def all_reports(store: Store) -> Iterator[RunReport]:
    """Every run of a project, the newest first."""
    return (report(run, store) for run in store.all_runs())


def report(run: Run, store: Store) -> RunReport:
    """What became of a run."""
    if is_on_cluster(run):
        return _on_cluster(run)
    runner = runner_of(run, store)
    told = read_json(status_file(run))
    entries = told.get("steps", []) if isinstance(told, dict) else []
    results = {entry["name"]: entry for entry in entries if isinstance(entry, dict) and "name" in entry}
    steps = [_step(run, name, step, results.get(name), runner) for name, step in _planned(run, list(results))]
    statuses = {step.status for step in steps}
    is_running = "running" in statuses or (runner is not None and (not steps or "waiting" in statuses))
    return RunReport(run, _name(run), _started(run), steps, is_running)


def _on_cluster(run: Run) -> RunReport:
    """What became of a run on a cluster, as far as that was brought home."""
    jobs = remembered(run)
    steps = [cluster_step(run, name, step, jobs) for name, step in _planned(run, [])]
    return RunReport(run, _name(run), _started(run), steps, is_alive(jobs))


def _name(run: Run) -> str:
    return run.told().get("name") or run.id[16:-5]


def find_run(store: Store, wanted: str) -> Run:
    """The run that an id, a part of one or `last` means. Failure NMT807 (none), NMT808 (several)."""
    runs = store.all_runs()
    if wanted == "last" and runs:
        return runs[0]
    by_id = {run.id: run for run in runs}
    if wanted in by_id:
        return by_id[wanted]
    parts = [run for run in runs if wanted and wanted in run.id]
    found = [run for run in parts if run.id.startswith(wanted)] or parts
    if len(found) == 1:
        return found[0]
    if found:
        shown = ", ".join(run.id for run in found[:5]) + (" …" if len(found) > 5 else "")
        raise Failure(error("NMT808", f"'{wanted}' fits {len(found)} runs", fix=f"one of: {shown}"))
    raise Failure(error("NMT807", f"there is no run '{wanted}'", fix=_nearest_run(wanted, runs)))


def _nearest_run(wanted: str, runs: list[Run]) -> str:
    if not runs:
        return "this project has no runs yet: `nemotron pipeline run FILE`"
    # The date and the time hide how near the name is, so that is compared by itself as well.
    known = {run.id: run.id for run in runs} | {run.id[16:-5]: run.id for run in reversed(runs)}
    near = nearest(wanted, known)
    return f"did you mean '{known[near[0]]}'?" if near else f"the newest is {runs[0].id}"


def _planned(run: Run, told: list[str]) -> list[tuple[str, str]]:
    """Name and id of each step of the pipeline, in the order in which they run."""
    try:
        tables = read_yaml(run.pipeline, quick=True).get("steps")
    except Failure:
        tables = None
    tables = tables if isinstance(tables, dict) else {}
    steps = {str(n): str(t.get("step", "")) if isinstance(t, dict) else "" for n, t in tables.items()}
    order = run.told().get("order") or told
    known = [name for name in order if name in steps]
    return [(name, steps[name]) for name in [*known, *(name for name in steps if name not in known)]]


def _step(
    run: Run, name: str, step: str, told: dict[str, Any] | None, runner: dict[str, Any] | None
) -> StepReport:
    attempts = run.attempts(name)
    newest = attempts[0] if attempts else None
    if told is not None:
        return _as_told(name, step, told, newest)
    if newest is None:
        return StepReport(name, step, "waiting" if runner is not None else "not run")
    open_one = unfinished(newest)
    found = of_result(name, step, newest) if open_one is None else _of_open(name, step, open_one)
    if runner is not None and found.status in ("failed", "interrupted") and _is_over(newest, runner):
        return StepReport(name, step, "waiting", "an earlier attempt did not end well", attempt=newest)
    return found


def _as_told(name: str, step: str, told: dict[str, Any], newest: Attempt | None) -> StepReport:
    """What the pipeline's runner wrote down."""
    return StepReport(
        name,
        step,
        str(told.get("status")),
        str(told.get("why", "")),
        float(told.get("seconds") or 0.0),
        dict(told.get("artifacts") or {}),
        list(told.get("diagnostics") or []),
        list(told.get("recoveries") or []),
        attempt=newest,
    )


def _of_open(name: str, step: str, found: Unfinished) -> StepReport:
    """An attempt without a result: its job or its runner lives, or it was cut off."""
    attempt, pids = found.attempt, found.processes()
    began = modified(attempt.config)
    if pids or found.runner_lives:
        progress = last_line(attempt)
        why = ""
        if host := host_of(found.runner):
            why = f"on {host}, which cannot be seen from here"
        elif not found.runner_lives:
            why = "its runner is gone: nothing records what it makes"
        elif not pids and attempt.outputs.exists():
            why = "what it made is being recorded"
        seconds = time.time() - began if began else 0.0
        return StepReport(name, step, "running", why, max(0.0, seconds), progress=progress, attempt=attempt)
    last = max(modified(attempt.log), modified(attempt.progress), began)
    why = (
        "the job came to its end, but its runner was killed before it was recorded"
        if attempt.outputs.exists()
        else "the job and its runner were killed"
    )
    seconds = max(0.0, last - began)
    return StepReport(name, step, "interrupted", why, seconds, progress=last_line(attempt), attempt=attempt)


def _is_over(attempt: Attempt, runner: dict[str, Any]) -> bool:
    """Whether an attempt is of an earlier runner than the one that is at work now."""
    told = read_json(attempt.command)
    return not isinstance(told, dict) or told.get("runner") != runner


def _started(run: Run) -> datetime | None:
    try:
        return datetime.strptime(run.id[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
