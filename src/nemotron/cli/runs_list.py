"""`nemotron runs list`: every run of the project, the newest first."""

from __future__ import annotations

from nemotron.cli import options
from nemotron.cli.output import print_json
from nemotron.cli.run_text import run_as_dict, seconds_text, when

EXAMPLES = "Examples: `nemotron runs list` · `nemotron runs list --json`"


def command(as_json: options.Json = False) -> None:
    """List the runs of this project, the newest first: of pipelines, and of single steps."""
    from nemotron.execution.store import Store
    from nemotron.reporting.runs import all_reports

    reports = list(all_reports(Store.of_project()))
    if as_json:
        print_json({"runs": [run_as_dict(report) for report in reports]})
        return
    if not reports:
        print("No runs yet: `nemotron pipeline run FILE` makes one.")
        return
    rows = [
        (
            report.run.id,
            when(report),
            report.name,
            report.status,
            seconds_text(report.seconds),
            f"{report.done}/{len(report.steps)}",
        )
        for report in reports
    ]
    rows.insert(0, ("RUN", "STARTED", "WHAT", "STATUS", "TOOK", "STEPS"))
    wide = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(f"{cell:<{size}}" for cell, size in zip(row, wide, strict=True)).rstrip())
