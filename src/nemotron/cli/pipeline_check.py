"""`nemotron pipeline check`: every problem of every step and every edge, at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nemotron.cli import options
from nemotron.cli.output import print_diagnostics, print_json
from nemotron.diagnostic import exit_code

EXAMPLES = (
    "Examples: `nemotron pipeline check pipeline.yaml` · "
    "`nemotron pipeline check pipeline.yaml --gpus 8 --json`"
)

File = Annotated[Path, typer.Argument(help="A pipeline file.", metavar="FILE")]


def command(
    file: File, gpus: options.Gpus = None, strict: options.Strict = False, as_json: options.Json = False
) -> None:
    """Check a pipeline: what the dry run of each step finds, and what its inputs will be; nothing is run."""
    from nemotron.catalog.catalog import default_catalog
    from nemotron.checking.pipeline_check import check_pipeline
    from nemotron.planning.pipeline import read_pipeline

    catalog = default_catalog()
    pipeline = read_pipeline(file, catalog)
    _, found = check_pipeline(pipeline, catalog, gpus=gpus)
    code = exit_code(found, strict=strict)
    print_diagnostics(found)
    if as_json:
        steps = [{"name": step.name, "step": step.step} for step in pipeline.steps]
        print_json({"file": str(file), "want": pipeline.want, "steps": steps, "exit_code": code}, found)
    elif not found:
        print(f"{len(pipeline.steps)} steps: no problem found.")
    raise typer.Exit(code)
