"""What a run of a pipeline would do: which steps are finished, which would run, and why. Writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nemotron.catalog.catalog import Catalog
from nemotron.execution import runner
from nemotron.execution.pipeline_result import Wanted
from nemotron.execution.store import Store
from nemotron.planning.pipeline import Pipeline, PipelineStep, request_of


@dataclass(frozen=True)
class Foreseen:
    """What would become of a step, and why."""

    name: str
    step: str
    fate: Literal["skipped", "run", "not run"]
    why: str


def foresee(pipeline: Pipeline, catalog: Catalog, store: Store, wanted: Wanted) -> list[Foreseen]:
    """The fate of each step of a pipeline that checks clean, in their order."""
    made: dict[str, str] = {}
    fates: dict[str, Foreseen] = {}
    for step in pipeline.steps:
        fates[step.name] = _fate(pipeline, step, catalog, store, wanted, made, fates)
    return list(fates.values())


def _fate(
    pipeline: Pipeline,
    step: PipelineStep,
    catalog: Catalog,
    store: Store,
    wanted: Wanted,
    made: dict[str, str],
    fates: dict[str, Foreseen],
) -> Foreseen:
    """Also adds what a finished step made to `made`."""
    may_run = wanted.allows(step.name)
    before = [fates[name] for name in dict.fromkeys(step.needs()) if name in fates]
    if lost := [each for each in before if each.fate == "not run"]:
        return Foreseen(step.name, step.step, "not run", f"it needs {lost[0].name}")
    if again := [each.name for each in before if each.fate == "run"]:
        fate: Literal["run", "not run"] = "run" if may_run else "not run"
        return Foreseen(step.name, step.step, fate, f"{' and '.join(again)} would run")
    plan = runner.prepare(request_of(pipeline, step, catalog, {}, made, wanted.gpus), store)
    if plan.finished is not None and step.name not in wanted.force:
        made |= {f"{step.name}.{output.port}": str(output.path) for output in plan.finished}
        return Foreseen(step.name, step.step, "skipped", runner.made_before(plan.finished))
    if not may_run:
        return Foreseen(step.name, step.step, "not run", "it was not asked for, and is not finished")
    return Foreseen(step.name, step.step, "run", _why(plan, store, forced=step.name in wanted.force))


def _why(plan: runner.Plan, store: Store, *, forced: bool) -> str:
    if forced:
        return "forced"
    changed = runner.changes(plan, store)
    return f"changed: {', '.join(changed)}" if changed else "it has not run before"
