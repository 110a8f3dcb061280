"""`nemotron runs resume`: go on with a run, by the pipeline that it keeps."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from nemotron.cli import options
from nemotron.cli.run_text import RunName
from nemotron.diagnostic import Failure, error

if TYPE_CHECKING:
    from nemotron.execution.store import Run

EXAMPLES = "Examples: `nemotron runs resume last` · `nemotron runs resume 20260401-1200 --gpus 4`"


def command(
    run: RunName,
    gpus: options.Gpus = None,
    jobs: options.Jobs = None,
    yes: options.Yes = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Show progress, not the jobs' logs.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document at the end.")] = False,
) -> None:
    """Go on with a run, in the same run and in the folder where it was started.

    It follows the pipeline that the run keeps: later edits of the file are not in it. What is finished is
    skipped.
    """
    from nemotron.catalog.catalog import default_catalog
    from nemotron.cli.pipeline_run import Chosen, check_and_run
    from nemotron.execution.pipeline_result import Wanted
    from nemotron.execution.pipeline_runner import stored_pipeline
    from nemotron.execution.store import Store
    from nemotron.reporting.runs import find_run

    found = find_run(Store.of_project(), run)
    told = found.told()
    _enter_folder(found)
    catalog = default_catalog()
    only = told.get("only")
    wanted = Wanted(
        only=None if only is None else set(only),
        gpus=told.get("gpus") if gpus is None else gpus,
        keep_going=bool(told.get("keep_going")),
        jobs=jobs,
    )
    chosen = Chosen(["nemotron", "runs", "resume", found.id], wanted, within=found, yes=yes)
    pipeline = stored_pipeline(found, catalog)
    raise typer.Exit(check_and_run(pipeline, catalog, chosen, quiet=quiet, as_json=as_json))


def _enter_folder(run: Run) -> None:
    """Go where the run was started: relative paths in its configs mean that folder. Failure NMT213."""
    folder = run.told().get("cwd")
    if folder is None:
        return
    if not os.path.isdir(folder):
        raise Failure(error("NMT213", f"{folder}, where the run was started, is not there any more"))
    os.chdir(folder)
