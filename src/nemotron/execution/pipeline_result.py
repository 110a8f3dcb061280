"""What is wanted of a pipeline's run, and how the run and each of its steps ended. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from nemotron.diagnostic import Diagnostic, exit_code
from nemotron.execution.runner import Outcome, made_before
from nemotron.execution.store import Run
from nemotron.planning.pipeline import Pipeline, PipelineStep


@dataclass(frozen=True)
class Wanted:
    """What to run of a pipeline, and how.

    `only` are the steps that may run; what they need must be finished already. Those in `force` run even if
    they are finished. A step that fails stops the run once the others at work have ended; with `keep_going`
    only what needs it. At most `jobs` steps run at once. `gpus` are in all, for each step.
    """

    only: Collection[str] | None = None
    force: Collection[str] = ()
    gpus: int | None = None
    keep_going: bool = False
    jobs: int | None = None

    def allows(self, step: str) -> bool:
        """Whether a step may run."""
        return self.only is None or step in self.only


EVERYTHING = Wanted()


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
    def is_made(self) -> bool:
        """Whether what it makes is there for those that need it."""
        return self.status in ("done", "skipped")

    @property
    def ended_badly(self) -> bool:
        """Whether it failed, was interrupted or could not be started: more than not being asked for."""
        return self.status in ("failed", "interrupted") or bool(self.diagnostics)


@dataclass
class PipelineResult:
    """How a pipeline ended, and the run that tells of it."""

    steps: list[StepResult]
    run: Run
    stopped: bool = False

    @property
    def exit_code(self) -> int:
        """130 when it was interrupted, 1 when a step failed, 2 or 3 when one could not be started, else 0."""
        statuses = {step.status for step in self.steps}
        if "interrupted" in statuses or (self.stopped and "not run" in statuses):
            return 130
        if "failed" in statuses:
            return 1
        return exit_code(d for step in self.steps for d in step.diagnostics)


def not_started(step: PipelineStep, problems: list[Diagnostic]) -> StepResult:
    """The result of a step whose request has problems."""
    return StepResult(step.name, step.step, "not run", problems[0].summary, diagnostics=problems)


def why_of(outcome: Outcome) -> str:
    """Why a step was skipped or failed; nothing to say of the others."""
    if outcome.status == "skipped":
        return made_before(outcome.made)
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
