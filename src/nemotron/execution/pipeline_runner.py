"""Running a pipeline: each step once what it needs is made; what is finished is skipped. Starts jobs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from nemotron.catalog.catalog import Catalog
from nemotron.checking.check import check_step
from nemotron.diagnostic import Diagnostic, Failure, blocked, of_os_error
from nemotron.execution import runner
from nemotron.execution.crew import Crew, Events, Stopped, Worker
from nemotron.execution.interruption import stop_requests
from nemotron.execution.lock import hold
from nemotron.execution.pipeline_result import (
    EVERYTHING,
    PipelineResult,
    StepResult,
    Wanted,
    not_started,
    why_of,
)
from nemotron.execution.room import Room
from nemotron.execution.status import write_status
from nemotron.execution.store import Run, Store
from nemotron.planning.pipeline import Pipeline, PipelineStep, read_pipeline, request_of
from nemotron.planning.request import StepRequest
from nemotron.profiles.load import load_profile


class PipelineEvents(Protocol):
    """What a pipeline's run tells; each step has events of its own."""

    def begins(self, step: PipelineStep) -> Events: ...
    def ended(self, step: PipelineStep, result: StepResult) -> None: ...


def run_pipeline(
    pipeline: Pipeline,
    catalog: Catalog,
    store: Store,
    events: PipelineEvents,
    wanted: Wanted = EVERYTHING,
    within: Run | None = None,
) -> PipelineResult:
    """Run the steps, each as soon as what it needs is made and there are GPUs and cores for it.

    The attempts are kept in a run of their own, or `within` the one that goes on. Failure NMT806 when another
    process runs that.
    """
    run = within or _new_run(pipeline, store, wanted)
    with (
        hold(store.run_lock_file(run), f"running {run.id}"),
        stop_requests() as requests,
        Crew[StepResult](requests) as crew,
    ):
        at_work = _Work(pipeline, catalog, store, events, wanted, run, crew)
        write_status(run, [])
        while at_work.start_what_is_ready() or crew.workers:
            if crew.workers:
                at_work.take_results()
    return PipelineResult(at_work.in_order(), run, stopped=requests.count > 0)


def stored_pipeline(run: Run, catalog: Catalog) -> Pipeline:
    """The pipeline that a run keeps; its relative paths count from where its file was."""
    folder = Path(run.told().get("folder") or run.folder)
    pipeline = read_pipeline(run.pipeline, catalog, folder)
    if (profile := run.told().get("profile")) is not None:
        pipeline.profile = load_profile(profile)
    return pipeline


def _new_run(pipeline: Pipeline, store: Store, wanted: Wanted) -> Run:
    text = pipeline.file.read_text(encoding="utf-8")
    return store.new_run(pipeline.file.stem, text, **told_of(pipeline, wanted))


def told_of(pipeline: Pipeline, wanted: Wanted) -> dict[str, Any]:
    """What run.json keeps of what was asked for: a run is resumed with it."""
    return {
        "folder": str(pipeline.file.resolve().parent),
        "only": None if wanted.only is None else sorted(wanted.only),
        "gpus": wanted.gpus,
        "profile": pipeline.profile.name if pipeline.profile else None,
        "keep_going": wanted.keep_going,
        "order": [step.name for step in pipeline.steps],
    }


@dataclass
class _Work:
    """A pipeline's run as it goes on: what was made, as `step.port` → path, and how each step ended."""

    pipeline: Pipeline
    catalog: Catalog
    store: Store
    events: PipelineEvents
    wanted: Wanted
    run: Run
    crew: Crew[StepResult]
    room: Room = field(default_factory=Room)
    made: dict[str, str] = field(default_factory=dict)
    results: dict[str, StepResult] = field(default_factory=dict)
    ready: dict[str, StepRequest] = field(default_factory=dict)
    turns: dict[str, threading.Lock] = field(default_factory=dict)

    def start_what_is_ready(self) -> bool:
        """Start every step that can begin now, in the pipeline's order; False when none was come to."""
        before = len(self.results) + len(self.crew.workers)
        self.room.forget_claims()
        at_work = {worker.name for worker in self.crew.workers}
        for step in self.pipeline.steps:
            if step.name in self.results or step.name in at_work or self._waits_for_another(step):
                continue
            result = self.held_up(step)
            if result is None:
                result = self._start(step)
            if result is not None:
                self._note(step, result)
        return len(self.results) + len(self.crew.workers) > before

    def take_results(self) -> None:
        """Tell what happens until a step has ended, and note how."""
        for worker in self.crew.wait():
            self.room.leave(worker.name)
            step = self.pipeline.step(worker.name)
            if isinstance(worker.failure, Stopped):
                self._note(
                    step, StepResult(step.name, step.step, "interrupted", "before its job was started")
                )
            elif worker.failure is not None:
                raise worker.failure
            elif worker.result is not None:
                self._note(step, worker.result)

    def in_order(self) -> list[StepResult]:
        """The results that there are, in the pipeline's order."""
        return [self.results[step.name] for step in self.pipeline.steps if step.name in self.results]

    def held_up(self, step: PipelineStep) -> StepResult | None:
        """The result of a step that is not started; None when it is."""
        if needed := self._lost(step):
            found = [] if any(r.ended_badly for r in needed) else self._not_asked_for(step, needed[0])
            return StepResult(step.name, step.step, "not run", f"it needs {needed[0].name}", None, found)
        if self.crew.requests.came:
            return StepResult(step.name, step.step, "not run", "the run was interrupted")
        bad = [result for result in self.in_order() if result.ended_badly]
        if bad and not self.wanted.keep_going:
            return StepResult(step.name, step.step, "not run", f"{bad[0].name} did not end well")
        return None

    def _waits_for_another(self, step: PipelineStep) -> bool:
        """Whether something that the step needs has not ended, and nothing that it needs ended badly."""
        return not self._lost(step) and not self.pipeline.before(step.name) <= self.results.keys()

    def _lost(self, step: PipelineStep) -> list[StepResult]:
        """What the step needs and will not get in this run."""
        before = self.pipeline.before(step.name)
        return [result for result in self.in_order() if result.name in before and not result.is_made]

    def _not_asked_for(self, step: PipelineStep, needed: StepResult) -> list[Diagnostic]:
        """The problem of a step that was asked for and needs one that was not and is not finished."""
        if not self.wanted.allows(step.name):
            return []
        where = self.pipeline.place("steps", needed.name)
        summary = f"{step.name} needs {needed.name}, which is not finished and was not asked for"
        return [blocked("NMT810", summary, where=where, fix=f"--from {needed.name}, or neither option")]

    def _start(self, step: PipelineStep) -> StepResult | None:
        """Bind a step to its inputs, now that they are made, and start it if there is room for it."""
        try:
            request = self.ready.get(step.name) or request_of(
                self.pipeline, step, self.catalog, {}, self.made, self.wanted.gpus
            )
        except Failure as failure:
            return not_started(step, failure.diagnostics)
        self.ready[step.name] = request
        is_full = self.wanted.jobs is not None and len(self.crew.workers) >= self.wanted.jobs
        devices = None if is_full else self.room.enter(step.name, request)
        if devices is not None:
            told = self.events.begins(step)
            self.crew.start(step.name, told, lambda worker: self._run(step, request, devices, worker))
        return None

    def _run(
        self, step: PipelineStep, request: StepRequest, devices: tuple[str, ...], worker: Worker[StepResult]
    ) -> StepResult:
        """Check a step again, and run it unless it is finished. In a thread of its own."""
        try:
            problems = [d for d in check_step(request) if d.severity in ("error", "blocked")]
            plan = None if problems else runner.prepare(request, self.store)
            problems += plan.problems if plan else []
            if plan is None or problems:
                return not_started(step, problems)
            if not self.wanted.allows(step.name) and plan.finished is None:
                why = "it was not asked for, and is not finished"
                return StepResult(step.name, step.step, "not run", why)
            force = step.name in self.wanted.force
            with self._in_turn(plan):
                outcome = runner.work(plan, self.store, worker, self.run, devices=devices, force=force)
        except Failure as failure:
            return not_started(step, failure.diagnostics)
        except OSError as problem:
            if (found := of_os_error(problem)) is None:
                raise
            return not_started(step, [found])
        return StepResult(step.name, step.step, outcome.status, why_of(outcome), outcome, outcome.diagnostics)

    @contextmanager
    def _in_turn(self, plan: runner.Plan) -> Iterator[None]:
        """Steps with one key, or one output folder, run one after the other: the second finds it finished."""
        with ExitStack() as turns:
            for name in sorted({plan.key, *map(str, plan.folders.values())}):
                turns.enter_context(self.turns.setdefault(name, threading.Lock()))
            yield

    def _note(self, step: PipelineStep, result: StepResult) -> None:
        for output in result.outcome.made if result.outcome else ():
            self.made[f"{step.name}.{output.port}"] = str(output.path)
        self.results[step.name] = result
        write_status(self.run, self.in_order())
        self.events.ended(step, result)
