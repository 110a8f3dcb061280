"""`nemotron pipeline run`: check everything, run each step, say what was skipped and why."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nemotron.cli import options
from nemotron.cli.output import print_diagnostics, print_json, short_path
from nemotron.cli.pipeline_check import File
from nemotron.diagnostic import Failure, error, exit_code
from nemotron.nearest import did_you_mean

if TYPE_CHECKING:
    from nemotron.catalog.catalog import Catalog
    from nemotron.cli.progress import LiveEvents
    from nemotron.execution.pipeline_runner import PipelineResult, StepResult
    from nemotron.execution.store import Run, Store
    from nemotron.planning.pipeline import Pipeline, PipelineStep

EXAMPLES = (
    "Examples: `nemotron pipeline run pipeline.yaml` · `nemotron pipeline run pipeline.yaml --dry-run` · "
    "`nemotron pipeline run pipeline.yaml --from sft --keep-going`"
)


def command(
    file: File,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, run nothing.")] = False,
    start: Annotated[
        str | None, typer.Option("--from", metavar="STEP", help="Run this step and what needs it.")
    ] = None,
    only: Annotated[str | None, typer.Option("--only", metavar="STEP", help="Run this step alone.")] = None,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="After a failure, run what does not need that step.")
    ] = False,
    gpus: options.Gpus = None,
    strict: options.Strict = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Show progress, not the jobs' logs.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document at the end.")] = False,
) -> None:
    """Run a pipeline: everything is checked first; a step that is finished is skipped, and why is said.

    The same command goes on where an earlier run was stopped.
    """
    from nemotron.catalog.catalog import default_catalog
    from nemotron.execution.pipeline_runner import selected
    from nemotron.planning.pipeline import read_pipeline

    catalog = default_catalog()
    pipeline = read_pipeline(file, catalog)
    _require(pipeline, start, only)
    chosen = Chosen(
        go_on=_go_on(file, start, only, gpus, keep_going=keep_going),
        only=selected(pipeline, start, only),
        gpus=gpus,
        keep_going=keep_going,
    )
    raise typer.Exit(
        check_and_run(pipeline, catalog, chosen, dry_run=dry_run, strict=strict, quiet=quiet, as_json=as_json)
    )


@dataclass(frozen=True)
class Chosen:
    """What was chosen for a run, and the command that goes on with it; `within` a run that is there."""

    go_on: list[str]
    only: set[str] | None = None
    gpus: int | None = None
    keep_going: bool = False
    within: Run | None = None


def check_and_run(
    pipeline: Pipeline,
    catalog: Catalog,
    chosen: Chosen,
    *,
    dry_run: bool = False,
    strict: bool = False,
    quiet: bool = False,
    as_json: bool = False,
) -> int:
    """Check everything; unless that fails, run it and print how it went. The exit code."""
    from nemotron.checking.pipeline_check import check_pipeline
    from nemotron.execution.pipeline_runner import run_pipeline
    from nemotron.execution.store import Store

    file = str(pipeline.file)
    _, found = check_pipeline(pipeline, catalog, gpus=chosen.gpus)
    code = exit_code(found, strict=strict)
    print_diagnostics(found)
    if code or dry_run:
        if as_json:
            print_json({"file": file, "dry_run": dry_run, "exit_code": code}, found)
        elif not code:
            print("The dry run passed: nothing was run.")
        return code
    store = Store.of_project()
    result = run_pipeline(
        pipeline,
        catalog,
        store,
        _Events(quiet=quiet),
        only=chosen.only,
        gpus=chosen.gpus,
        keep_going=chosen.keep_going,
        within=chosen.within,
    )
    report = _write_report(store, result.run, catalog)
    if as_json:
        problems = [d for step in result.steps for d in step.diagnostics]
        told = {"file": file, "run": result.run.id, "report": str(report) if report else None}
        print_json({**told, "steps": _as_list(result), "exit_code": result.exit_code}, problems)
    else:
        print(_closing(result, report, chosen.go_on))
    return result.exit_code


def _write_report(store: Store, run: Run, catalog: Catalog) -> Path | None:
    """The report's file; None, and a word why, where it cannot be written: the run ended as it ended."""
    from nemotron.reporting.report import write_report

    try:
        return write_report(store, run.id, catalog=catalog)
    except OSError as problem:
        print(f"   no report could be written: {problem}", file=sys.stderr)
        return None


def _go_on(
    file: Path, start: str | None, only: str | None, gpus: int | None, *, keep_going: bool
) -> list[str]:
    """The command that goes on: the same again, with what decides what is run."""
    options = [("--from", start), ("--only", only), ("--gpus", gpus)]
    given = [word for name, value in options if value is not None for word in (name, str(value))]
    return ["nemotron", "pipeline", "run", str(file), *given, *(["--keep-going"] if keep_going else [])]


class _Events:
    """Prints which step runs, its events, and how it ended."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet

    def begins(self, step: PipelineStep, number: int, total: int) -> LiveEvents:
        from nemotron.cli.progress import LiveEvents

        print(f"[{number}/{total}] {step.name}: {step.step}", file=sys.stderr, flush=True)
        return LiveEvents(sys.stderr, quiet=self.quiet)

    def ended(self, step: PipelineStep, result: StepResult) -> None:
        print_diagnostics(result.diagnostics)
        for recovery in result.outcome.recoveries if result.outcome else ():
            print(f"   known error '{recovery.id}': {recovery.recovery}", file=sys.stderr)
        if result.status == "failed" and result.outcome and result.outcome.attempt:
            print(f"   the log: {short_path(result.outcome.attempt.log)}", file=sys.stderr)


def _require(pipeline: Pipeline, *named: str | None) -> None:
    names = [step.name for step in pipeline.steps]
    for name in named:
        if name is not None and name not in names:
            fix = did_you_mean(name, names) or f"its steps are: {', '.join(names)}"
            raise Failure(error("NMT271", f"the pipeline has no step '{name}'", fix=fix))


def _as_list(result: PipelineResult) -> list[dict[str, Any]]:
    return [
        {
            "name": step.name,
            "step": step.step,
            "status": step.status,
            "why": step.why,
            "seconds": round(step.outcome.seconds, 3) if step.outcome else 0.0,
            "artifacts": {m.port: str(m.path) for m in step.outcome.made} if step.outcome else {},
        }
        for step in result.steps
    ]


def _closing(result: PipelineResult, report: Path | None, go_on: list[str]) -> str:
    """A line for each step, what the last one made, the report, and the command that goes on from here."""
    wide = max((len(step.name) for step in result.steps), default=0)
    lines = [
        f"  {step.name:<{wide}}  {step.status}"
        + (f" in {step.outcome.seconds:.0f} s" if step.status == "done" and step.outcome else "")
        + (f": {step.why}" if step.why else "")
        for step in result.steps
    ]
    last = result.steps[-1].outcome if result.steps else None
    lines += [f"  {m.port}  {short_path(m.path)}" for m in (last.made if last else [])]
    lines += [f"  report  {short_path(report)}"] if report else []
    if result.exit_code:
        lines.append(f"Go on with: {join(go_on)}")
    return "\n".join(lines)
