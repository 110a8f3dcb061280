"""`nemotron runs status`: one line for each step, and an exit code for scripts."""

from __future__ import annotations

import typer

from nemotron.cli import options
from nemotron.cli.output import print_json, shorten, width
from nemotron.cli.run_text import RunName, run_as_dict, step_as_dict, step_lines

EXAMPLES = "Examples: `nemotron runs status last` · `nemotron runs status last --json`"

_CODES = {"done": 0, "failed": 1}
_NOT_FINISHED = 3


def command(run: RunName, as_json: options.Json = False) -> None:
    """Say how far a run is, a line for each step. Exit code 0: done, 1: failed, 3: not finished."""
    from nemotron.cli.cluster_run import refreshed
    from nemotron.execution.store import Store
    from nemotron.reporting.runs import find_run, report

    store = Store.of_project()
    found = report(refreshed(find_run(store, run)), store)
    code = _CODES.get(found.status, _NOT_FINISHED)
    if as_json:
        steps = [step_as_dict(step) for step in found.steps]
        print_json({**run_as_dict(found), "steps": steps, "exit_code": code})
    else:
        print(f"{found.run.id}: {found.status}, {found.done} of {len(found.steps)} steps done")
        for line in step_lines(found.steps):
            print(shorten(line, max(width(), 60)))
    raise typer.Exit(code)
