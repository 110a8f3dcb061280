"""`nemotron pipeline run`: check everything, run each step, say what was skipped and why."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nemotron.cli import options
from nemotron.cli.chosen_profile import chosen_profile
from nemotron.cli.output import print_diagnostics, print_json, short_path
from nemotron.cli.pipeline_check import File
from nemotron.diagnostic import Failure, error, exit_code
from nemotron.nearest import did_you_mean

if TYPE_CHECKING:
    from nemotron.catalog.catalog import Catalog
    from nemotron.cli.cluster_run import ToCluster
    from nemotron.execution.pipeline_result import PipelineResult, Wanted
    from nemotron.execution.store import Run, Store
    from nemotron.planning.pipeline import Pipeline
    from nemotron.planning.request import StepRequest

EXAMPLES = (
    "Examples: `nemotron pipeline run pipeline.yaml` · `nemotron pipeline run pipeline.yaml --dry-run` · "
    "`nemotron pipeline run pipeline.yaml --from sft --keep-going` · "
    "`nemotron pipeline run pipeline.yaml --batch cluster`"
)


def command(
    file: File,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, run nothing.")] = False,
    start: Annotated[
        str | None, typer.Option("--from", metavar="STEP", help="Run this step and what needs it.")
    ] = None,
    only: Annotated[str | None, typer.Option("--only", metavar="STEP", help="Run this step alone.")] = None,
    force: Annotated[
        list[str] | None,
        typer.Option(
            "--force", metavar="STEP", help="Run this step even if it is finished. May be repeated."
        ),
    ] = None,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="After a failure, run what does not need that step.")
    ] = False,
    gpus: options.Gpus = None,
    jobs: options.Jobs = None,
    attached: options.Attached = None,
    batch: options.Batch = None,
    yes: options.Yes = False,
    strict: options.Strict = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Show progress, not the jobs' logs.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document at the end.")] = False,
) -> None:
    """Run a pipeline: everything is checked first; a step that is finished is skipped, and why is said.

    The same command goes on where an earlier run was stopped. Steps that name no profile themselves run on
    that of --run or --batch.
    """
    from nemotron.catalog.catalog import default_catalog
    from nemotron.execution.pipeline_result import Wanted, selected
    from nemotron.planning.pipeline import read_pipeline

    catalog = default_catalog()
    pipeline = read_pipeline(file, catalog)
    pipeline.profile = chosen_profile(attached, batch)
    forced = force or []
    _require(pipeline, start, only, *forced)
    wanted = Wanted(selected(pipeline, start, only), set(forced), gpus, keep_going, jobs)
    where = {"--run": attached, "--batch": batch}
    chosen = Chosen(_go_on(file, start, only, wanted, where), wanted, stays=batch is None, yes=yes)
    raise typer.Exit(
        check_and_run(pipeline, catalog, chosen, dry_run=dry_run, strict=strict, quiet=quiet, as_json=as_json)
    )


@dataclass(frozen=True)
class Chosen:
    """What was chosen for a run, and the command that goes on with it; `within` a run that is there.

    On a cluster the command `stays` until the run ends, and asks before it submits unless it was told `yes`.
    """

    go_on: list[str]
    wanted: Wanted
    within: Run | None = None
    stays: bool = True
    yes: bool = False


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
    from nemotron.cli.cluster_run import is_for_cluster, run_on_cluster
    from nemotron.cli.pipeline_forecast import tell_forecast
    from nemotron.cli.pipeline_view import pipeline_view
    from nemotron.execution.foresight import foresee
    from nemotron.execution.pipeline_runner import run_pipeline
    from nemotron.execution.store import Store

    file = str(pipeline.file)
    requests, found = check_pipeline(pipeline, catalog, gpus=chosen.wanted.gpus)
    code = exit_code(found, strict=strict)
    print_diagnostics(found)
    store = Store.of_project()
    if code and not dry_run:
        if as_json:
            print_json({"file": file, "dry_run": False, "exit_code": code}, found)
        return code
    if dry_run:
        is_here = not code and not is_for_cluster(requests)
        foreseen = foresee(pipeline, catalog, store, chosen.wanted) if is_here else []
        tell_forecast(file, foreseen, found, code, as_json=as_json)
        return code
    if is_for_cluster(requests):
        return run_on_cluster(_to_cluster(pipeline, requests, chosen), store, quiet=quiet, as_json=as_json)
    with pipeline_view(pipeline.steps, quiet=quiet) as view:
        result = run_pipeline(pipeline, catalog, store, view, chosen.wanted, chosen.within)
    report = _write_report(store, result.run, catalog)
    if as_json:
        problems = [d for step in result.steps for d in step.diagnostics]
        told = {"file": file, "run": result.run.id, "report": str(report) if report else None}
        print_json({**told, "steps": _as_list(result), "exit_code": result.exit_code}, problems)
    else:
        unforced = [
            step.name for step in result.steps if step.name in chosen.wanted.force and step.status != "done"
        ]
        again = [word for name in unforced for word in ("--force", name)]
        print(_closing(result, report, [*chosen.go_on, *again]))
    return result.exit_code


def _to_cluster(pipeline: Pipeline, requests: list[StepRequest], chosen: Chosen) -> ToCluster:
    from nemotron.cli.cluster_run import ToCluster
    from nemotron.execution.pipeline_runner import told_of

    text = pipeline.file.read_text(encoding="utf-8")
    told = told_of(pipeline, chosen.wanted)
    name = pipeline.file.stem
    return ToCluster(name, text, requests, chosen.wanted, chosen.stays, chosen.yes, chosen.within, told)


def _write_report(store: Store, run: Run, catalog: Catalog) -> Path | None:
    """The report's file; None, and a word why, where it cannot be written: the run ended as it ended."""
    from nemotron.reporting.report import write_report

    try:
        return write_report(store, run.id, catalog=catalog)
    except OSError as problem:
        print(f"   no report could be written: {problem}", file=sys.stderr)
        return None


def _go_on(
    file: Path, start: str | None, only: str | None, wanted: Wanted, where: dict[str, str | None]
) -> list[str]:
    """The command that goes on: the same again, with what decides what is run; what was forced is done."""
    options: list[tuple[str, str | int | None]] = [*where.items(), ("--from", start), ("--only", only)]
    options += [("--gpus", wanted.gpus), ("--jobs", wanted.jobs)]
    given = [word for name, value in options if value is not None for word in (name, str(value))]
    given += ["--keep-going"] if wanted.keep_going else []
    return ["nemotron", "pipeline", "run", str(file), *given]


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
