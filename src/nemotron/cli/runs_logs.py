"""`nemotron runs logs`: what the jobs of a run printed, and with --follow what they print."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from nemotron.cli.output import print_json
from nemotron.cli.run_text import RunName
from nemotron.config.secrets import redact
from nemotron.diagnostic import Failure, error
from nemotron.nearest import did_you_mean

if TYPE_CHECKING:
    from nemotron.execution.store import Attempt, Run, Store

EXAMPLES = "Examples: `nemotron runs logs last` · `nemotron runs logs last sft --follow`"

_POLL_SECONDS, _CLUSTER_POLL_SECONDS = 0.3, 2.0


def command(
    run: RunName,
    step: Annotated[str | None, typer.Argument(metavar="[STEP]", help="Only this step of the run.")] = None,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Print what is added, until the run ends.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print where the logs are, as JSON.")] = False,
) -> None:
    """Print the logs of a run, of its newest attempt at each step."""
    from nemotron.cli.cluster_run import refreshed
    from nemotron.execution.slurm.cluster import is_on_cluster
    from nemotron.execution.store import Store
    from nemotron.reporting.runs import find_run

    store = Store.of_project()
    found = refreshed(find_run(store, run))
    if as_json:
        logs = {name: str(attempt.log) for name, attempt in newest_attempts(found, store, step).items()}
        print_json({"id": found.id, "logs": logs})
        return
    printer = LogPrinter(several=step is None)
    # Asked before the last look at the files, so that nothing written in between is missed.
    going_on = True
    while going_on:
        going_on = follow and _is_running(refreshed(found), store)
        printer.print_new(newest_attempts(found, store, step), last=not going_on)
        if going_on:
            time.sleep(_CLUSTER_POLL_SECONDS if is_on_cluster(found) else _POLL_SECONDS)
    if not printer.seen:
        print("No log yet.", file=sys.stderr)


class LogPrinter:
    """Prints what was added to logs since the last time."""

    def __init__(self, *, several: bool, to: TextIO | None = None) -> None:
        self.several = several
        self.to = to or sys.stdout
        self.seen: dict[str, object] = {}
        self.shown = ""

    def print_new(self, attempts: dict[str, Attempt], *, last: bool) -> int:
        """Print what is new; how many lines that were."""
        from nemotron.execution.follow import Tail

        count = 0
        for name, attempt in attempts.items():
            tail = self.seen.setdefault(str(attempt.log), Tail(attempt.log))
            assert isinstance(tail, Tail)
            for line in tail.lines(last=last):
                if self.several and self.shown != str(attempt.log):
                    print(f"== {name}", file=self.to)
                    self.shown = str(attempt.log)
                print(redact(line.rstrip("\r").rsplit("\r", 1)[-1]), file=self.to, flush=True)
                count += 1
        return count


def newest_attempts(run: Run, store: Store, step: str | None) -> dict[str, Attempt]:
    """The newest attempt at each step, or at the one that was named. Failure NMT271 for an unknown one."""
    from nemotron.reporting.runs import report

    steps = {found.name: found.attempt for found in report(run, store).steps}
    if step is not None and step not in steps:
        fix = did_you_mean(step, steps) or f"its steps are: {', '.join(steps)}"
        raise Failure(error("NMT271", f"the run has no step '{step}'", fix=fix))
    return {
        name: attempt
        for name, attempt in steps.items()
        if attempt is not None and attempt.log.exists() and step in (None, name)
    }


def _is_running(run: Run, store: Store) -> bool:
    from nemotron.execution.living import is_running

    return is_running(run, store)
