"""`nemotron runs show`: how each step of a run ended, why, what it made, where its log is."""

from __future__ import annotations

from nemotron.cli import options
from nemotron.cli.output import print_json
from nemotron.cli.run_text import RunName, path_lines, run_as_dict, step_as_dict, step_lines, when
from nemotron.config.secrets import redact

EXAMPLES = "Examples: `nemotron runs show last` · `nemotron runs show 20260401-1200 --json`"


def command(run: RunName, as_json: options.Json = False) -> None:
    """Show a run: its steps, how each ended and why, what it made, and its log."""
    from nemotron.cli.cluster_run import refreshed
    from nemotron.execution.store import Store
    from nemotron.reporting.runs import find_run, report

    store = Store.of_project()
    found = report(refreshed(find_run(store, run)), store)
    if as_json:
        print_json({**run_as_dict(found), "steps": [step_as_dict(step) for step in found.steps]})
        return
    print(f"{found.run.id}: {found.name}, {found.status}, {found.done} of {len(found.steps)} steps done")
    print(f"  started {when(found)}")
    for step, line in zip(found.steps, step_lines(found.steps), strict=True):
        print(line)
        for problem in step.diagnostics:
            text = f"{problem.get('code')}: {problem.get('summary')}"
            print(f"      {redact(text)}")
            for key in ("detail", "fix"):
                if problem.get(key):
                    print(f"        {key}: {redact(str(problem[key]))}")
        for recovery in step.recoveries:
            print(f"      known error '{recovery.get('id')}': {recovery.get('recovery')}")
        print(*path_lines(step), sep="\n", end="\n" if path_lines(step) else "")
    if found.status in ("failed", "interrupted"):
        print(f"Go on with: nemotron runs resume {found.run.id}")
