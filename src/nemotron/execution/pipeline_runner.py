"""Running a pipeline: each step when what it needs is made; what is finished is skipped. Starts jobs."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from nemotron.catalog.catalog import Catalog
from nemotron.checking.check import check_step
from nemotron.diagnostic import Diagnostic, Failure, exit_code
from nemotron.execution import runner
from nemotron.execution.runner import Events, Outcome
from nemotron.execution.status import write_status
from nemotron.execution.store import Run, Store
from nemotron.planning.pipeline import Pipeline, PipelineStep, request_of


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
) -> PipelineResult:
    """Run the steps in their order. A step that fails stops what needs it; with `keep_going` only that.

    `only` are the steps that may run; what they need must be finished already.
    """
    made: dict[str, str] = {}
    results: list[StepResult] = []
    run = store.new_run(pipeline.file.stem, pipeline.file.read_text(encoding="utf-8"))
    write_status(run, results)
    for number, step in enumerate(pipeline.steps, start=1):
        reason = _held_up(pipeline, step, results, keep_going=keep_going)
        if reason:
            results.append(StepResult(step.name, step.step, "not run", reason))
        else:
            may_run = only is None or step.name in only
            own = events.begins(step, number, len(pipeline.steps))
            results.append(_run_step(pipeline, step, catalog, store, run, own, made, gpus, may_run=may_run))
        write_status(run, results)
        events.ended(step, results[-1])
    return PipelineResult(results, run)


def _held_up(pipeline: Pipeline, step: PipelineStep, results: list[StepResult], *, keep_going: bool) -> str:
    """Why a step is not started; empty when it is."""
    failed = [r.name for r in results if r.status in ("failed", "interrupted", "not run")]
    needed = sorted(pipeline.before(step.name) & set(failed))
    if needed:
        return f"it needs {needed[0]}"
    interrupted = any(result.status == "interrupted" for result in results)
    return f"{failed[0]} did not end well" if failed and (interrupted or not keep_going) else ""


def _run_step(
    pipeline: Pipeline,
    step: PipelineStep,
    catalog: Catalog,
    store: Store,
    run: Run,
    events: Events,
    made: dict[str, str],
    gpus: int | None,
    *,
    may_run: bool,
) -> StepResult:
    try:
        request = request_of(pipeline, step, catalog, {}, made, gpus)
        problems = [d for d in check_step(request) if d.severity in ("error", "blocked")]
        plan = None if problems else runner.prepare(request, store)
        problems += plan.problems if plan else []
        if plan is None or problems:
            return StepResult(step.name, step.step, "failed", problems[0].summary, diagnostics=problems)
        if not may_run and plan.finished is None:
            return StepResult(step.name, step.step, "not run", "it was not asked for, and is not finished")
        outcome = runner.run(plan, store, events, run)
    except Failure as failure:
        found = failure.diagnostics
        return StepResult(step.name, step.step, "failed", found[0].summary, diagnostics=found)
    for output in outcome.made:
        made[f"{step.name}.{output.port}"] = str(output.path)
    status = outcome.status
    return StepResult(step.name, step.step, status, _why(outcome), outcome, outcome.diagnostics)


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
