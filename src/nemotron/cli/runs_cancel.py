"""`nemotron runs cancel`: end a run and every process of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nemotron.cli import options
from nemotron.cli.output import print_json
from nemotron.cli.run_text import RunName

if TYPE_CHECKING:
    from nemotron.execution.store import Run

EXAMPLES = "Examples: `nemotron runs cancel last` · `nemotron runs cancel 20260401-1200 --json`"


def command(
    run: RunName,
    host_is_gone: Annotated[
        bool,
        typer.Option("--host-is-gone", help="Nothing of it lives on the host that ran it: record that."),
    ] = False,
    as_json: options.Json = False,
) -> None:
    """End a run: its runner and every process of its jobs. One that is not running is left as it is."""
    from nemotron.execution.cancel import cancel
    from nemotron.execution.slurm.cluster import is_on_cluster
    from nemotron.execution.store import Store
    from nemotron.reporting.runs import find_run

    store = Store.of_project()
    found = find_run(store, run)
    if is_on_cluster(found):
        _cancel_jobs(found, as_json=as_json)
        return
    ended = cancel(found, store, host_is_gone=host_is_gone)
    if as_json:
        print_json({"id": found.id, "runner": ended.runner, "processes": ended.processes})
        return
    if ended.runner is None and not ended.processes:
        print(f"{found.id} is not running: nothing was ended.")
        return
    whom = ["its runner"] if ended.runner is not None else []
    count = len(ended.processes)
    whom += [f"{count} process{'es' if count > 1 else ''} of its job"] if count else []
    print(f"Ended {' and '.join(whom)}. Go on with: nemotron runs resume {found.id}")


def _cancel_jobs(run: Run, *, as_json: bool) -> None:
    """End the jobs of a run on a cluster."""
    from nemotron.execution.slurm.home import cancel

    ended = cancel(run)
    count = len(ended)
    if as_json:
        print_json({"id": run.id, "jobs": [job.id for job in ended]})
    elif not count:
        print(f"{run.id} has no job in the queue: nothing was ended.")
    else:
        print(f"Ended {count} job{'s' * (count > 1)}. Go on with: nemotron runs resume {run.id}")
