"""Running a pipeline: each step when what it needs is made; what is finished is skipped. Starts jobs."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from nemotron.catalog.catalog import Catalog
from nemotron.checking.check import check_step
from nemotron.diagnostic import Diagnostic, Failure, blocked, exit_code
from nemotron.execution import runner
from nemotron.execution.lock import hold
from nemotron.execution.runner import Events, Outcome
from nemotron.execution.status import write_status
from nemotron.execution.store import Run, Store
from nemotron.planning.have import have_from_table
from nemotron.planning.pipeline import Pipeline, PipelineStep, read_pipeline, request_of


class PipelineEvents(Protocol):
    """What a pipeline's run tells; each step has events of its own."""

    def begins(self, step: PipelineStep, number: int, total: int) -> Events: ...
    def ended(self, step: PipelineStep, result: StepResult) -> None: ...


@dataclass
class StepResult:
    """How one step ended: done, skipped, failed, interrupted, or not run, and why."""

    name: str
    step: str
    status: str
    why: str = ""
    outcome: Outcome | None = None
    diagnostics: list[Diagnostic] = field(default_factory=list)

    @property
    def ended_badly(self) -> bool:
        """Whether it failed, was interrupted or could not be started: more than not being asked for."""
        return self.status in ("failed", "interrupted") or bool(self.diagnostics)


@dataclass
class PipelineResult:
    """How a pipeline ended, and the run that tells of it."""

    steps: list[StepResult]
    run: Run

    @property
    def exit_code(self) -> int:
        """130 when it was interrupted, 1 when a step failed, 2 or 3 when one could not be started, else 0."""
        statuses = {step.status for step in self.steps}
        if "interrupted" in statuses:
            return 130
        if "failed" in statuses:
            return 1
        return exit_code(d for step in self.steps for d in step.diagnostics)


def run_pipeline(
    pipeline: Pipeline,
    catalog: Catalog,
    store: Store,
    events: PipelineEvents,
    *,
    only: Collection[str] | None = None,
    gpus: int | None = None,
    keep_going: bool = False,
    within: Run | None = None,
) -> PipelineResult:
    """Run the steps in their order. A step that fails stops what needs it; with `keep_going` only that.

    `only` are the steps that may run; what they need must be finished already. The attempts are kept in a
    run of their own, or `within` the one that goes on. Failure NMT806 when another process runs that.
    """
    run = within or _new_run(pipeline, store, only, gpus, keep_going=keep_going)
    at_work = _Work(pipeline, catalog, store, run, only, gpus)
    with hold(store.run_lock_file(run), f"running {run.id}"):
        write_status(run, [])
        for number, step in enumerate(pipeline.steps, start=1):
            result = at_work.held_up(step, keep_going=keep_going)
            if result is None:
                result = at_work.run_step(step, events.begins(step, number, len(pipeline.steps)))
            at_work.results.append(result)
            write_status(run, at_work.results)
            events.ended(step, result)
    return PipelineResult(at_work.results, run)


def stored_pipeline(run: Run, catalog: Catalog) -> Pipeline:
    """The pipeline that a run keeps; its relative paths count from where its file was."""
    pipeline = read_pipeline(run.pipeline, catalog)
    folder = Path(run.told().get("folder") or run.folder)
    for name, table in (pipeline.document.get("have") or {}).items():
        pipeline.haves[name] = have_from_table(name, table, catalog.types, folder)
    return pipeline


def _new_run(
    pipeline: Pipeline, store: Store, only: Collection[str] | None, gpus: int | None, *, keep_going: bool
) -> Run:
    return store.new_run(
        pipeline.file.stem,
        pipeline.file.read_text(encoding="utf-8"),
        folder=str(pipeline.file.resolve().parent),
        only=None if only is None else sorted(only),
        gpus=gpus,
        keep_going=keep_going,
        order=[step.name for step in pipeline.steps],
    )


@dataclass
class _Work:
    """A pipeline's run as it goes on: what was made, as `step.port` → path, and how each step ended."""

    pipeline: Pipeline
    catalog: Catalog
    store: Store
    run: Run
    only: Collection[str] | None
    gpus: int | None
    made: dict[str, str] = field(default_factory=dict)
    results: list[StepResult] = field(default_factory=list)

    def held_up(self, step: PipelineStep, *, keep_going: bool) -> StepResult | None:
        """The result of a step that is not started; None when it is."""
        before = self.pipeline.before(step.name)
        needed = [r for r in self.results if r.name in before and r.status not in ("done", "skipped")]
        if needed:
            found = [] if any(r.ended_badly for r in needed) else self._not_asked_for(step, needed[0])
            return StepResult(step.name, step.step, "not run", f"it needs {needed[0].name}", None, found)
        bad = [result for result in self.results if result.ended_badly]
        interrupted = any(result.status == "interrupted" for result in bad)
        if bad and (interrupted or not keep_going):
            return StepResult(step.name, step.step, "not run", f"{bad[0].name} did not end well")
        return None

    def _not_asked_for(self, step: PipelineStep, needed: StepResult) -> list[Diagnostic]:
        """The problem of a step that was asked for and needs one that was not and is not finished."""
        if not self._may_run(step):
            return []
        where = self.pipeline.place("steps", needed.name)
        summary = f"{step.name} needs {needed.name}, which is not finished and was not asked for"
        return [blocked("NMT810", summary, where=where, fix=f"--from {needed.name}, or neither option")]

    def run_step(self, step: PipelineStep, events: Events) -> StepResult:
        """Check a step again, now that its inputs are made, and run it unless it is finished."""
        try:
            request = request_of(self.pipeline, step, self.catalog, {}, self.made, self.gpus)
            problems = [d for d in check_step(request) if d.severity in ("error", "blocked")]
            plan = None if problems else runner.prepare(request, self.store)
            problems += plan.problems if plan else []
            if plan is None or problems:
                return _not_started(step, problems)
            if not self._may_run(step) and plan.finished is None:
                why = "it was not asked for, and is not finished"
                return StepResult(step.name, step.step, "not run", why)
            outcome = runner.run(plan, self.store, events, self.run)
        except Failure as failure:
            return _not_started(step, failure.diagnostics)
        for output in outcome.made:
            self.made[f"{step.name}.{output.port}"] = str(output.path)
        return StepResult(step.name, step.step, outcome.status, _why(outcome), outcome, outcome.diagnostics)

    def _may_run(self, step: PipelineStep) -> bool:
        return self.only is None or step.name in self.only


def _not_started(step: PipelineStep, problems: list[Diagnostic]) -> StepResult:
    return StepResult(step.name, step.step, "not run", problems[0].summary, diagnostics=problems)


def _why(outcome: Outcome) -> str:
    if outcome.status == "skipped":
        return f"run {outcome.made[0].record.producer.run} made it from the same config and inputs"
    return outcome.diagnostics[0].summary if outcome.diagnostics else ""


def selected(pipeline: Pipeline, start: str | None, only: str | None) -> set[str] | None:
    """The steps that may run: with `only` that one, with `start` it and what needs it; None for all."""
    if only is not None:
        return {only}
    if start is None:
        return None
    return {step.name for step in _after(pipeline, start)}


def _after(pipeline: Pipeline, start: str) -> Iterator[PipelineStep]:
    for step in pipeline.steps:
        if step.name == start or start in pipeline.before(step.name):
            yield step
