"""`nemotron runs report`: one HTML file about a run, or the same as data."""

from __future__ import annotations

from pathlib import Path
from shlex import join
from typing import Annotated

import typer

from nemotron.cli import options
from nemotron.cli.output import print_json, short_path
from nemotron.cli.run_text import RunName
from nemotron.diagnostic import Failure, error

EXAMPLES = "Examples: `nemotron runs report last` · `nemotron runs report last -o report.html`"


def command(
    run: RunName,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write the report to this file, or folder."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Write the report of a run: graph, steps, losses, scores, configs and lineage in one HTML file."""
    from dataclasses import asdict

    from nemotron.catalog.catalog import default_catalog
    from nemotron.cli.cluster_run import refreshed
    from nemotron.execution.store import Store
    from nemotron.reporting.report import write_report
    from nemotron.reporting.runs import find_run
    from nemotron.reporting.story import tell

    store = Store.of_project()
    found = refreshed(find_run(store, run))
    output = _file(output, found.id)
    if as_json:
        file = str(write_report(store, found.id, output)) if output else None
        print_json({"file": file, "report": asdict(tell(store, found, default_catalog()))})
    else:
        print(short_path(write_report(store, found.id, output)))


def _file(output: Path | None, run_id: str) -> Path | None:
    """The file that was named, or one in the folder that was. Failure NMT213 when that is not there."""
    if output is None:
        return None
    if output.is_dir():
        return output / f"{run_id}.html"
    if not output.parent.is_dir():
        fix = join(["mkdir", "-p", str(output.parent)])
        raise Failure(error("NMT213", f"there is no folder {output.parent}", fix=fix))
    return output
