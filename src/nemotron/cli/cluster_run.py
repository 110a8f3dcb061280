"""A run handed to a cluster: asked first, submitted in one go, and with --run followed to its end."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nemotron.cli.output import print_diagnostics, print_json
from nemotron.diagnostic import Failure, blocked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nemotron.execution.pipeline_result import Wanted
    from nemotron.execution.slurm.submission import Placed
    from nemotron.execution.store import Run, Store
    from nemotron.planning.request import StepRequest

_FIRST_POLL_SECONDS, _LAST_POLL_SECONDS = 0.5, 10.0
_INTERRUPTED = 130


@dataclass(frozen=True)
class ToCluster:
    """A run that is to go to a cluster; `told` is what run.json says of it beside.

    The command `stays` until the run ends, and asks before it submits unless it was told `yes`. `within` is
    the run that is gone on with.
    """

    name: str
    pipeline: str
    requests: Sequence[StepRequest]
    wanted: Wanted
    stays: bool = True
    yes: bool = False
    within: Run | None = None
    told: dict[str, Any] = field(default_factory=dict)


def is_for_cluster(requests: Sequence[StepRequest]) -> bool:
    """Whether a step runs on a profile that is not this machine."""
    return any(request.profile is not None and not request.profile.is_local for request in requests)


def run_on_cluster(asked: ToCluster, store: Store, *, quiet: bool = False, as_json: bool = False) -> int:
    """Submit a run, and follow it to its end if that was asked for. The exit code.

    Failure NMT650 to NMT657.
    """
    from nemotron.execution.slurm import home, secrets, submission, submit

    steps = submission.place(asked.requests)
    if problems := secrets.not_handed_on(steps):
        raise Failure(problems)
    names = _needed(steps, asked.wanted)
    if asked.within is not None:
        names = home.to_resume(asked.within, names)
    if not names:
        print("Nothing to submit: every step is finished.")
        return 0
    _confirm([step for step in steps if step.name in names], yes=asked.yes)
    run = asked.within or submit.new_run(store, asked.name, asked.pipeline, steps, **asked.told)
    try:
        submit.submit(run, steps, names, asked.wanted)
    except BaseException:
        if asked.within is None:
            submit.forget(run)
        raise
    jobs = f"{len(names)} job{'s' * (len(names) > 1)}"
    print(f"Submitted {run.id}: {jobs}.", file=sys.stderr, flush=True)
    if asked.stays:
        return _stay(run, store, quiet=quiet, as_json=as_json)
    if as_json:
        print_json({"run": run.id, "submitted": names, "exit_code": 0})
    else:
        print(_how_to_go_on(run))
    return 0


def refreshed(run: Run) -> Run:
    """The run, with what is new of it brought home if it is on a cluster."""
    from nemotron.execution.slurm.cluster import is_on_cluster

    if is_on_cluster(run):
        from nemotron.execution.slurm.home import refresh

        refresh(run)
    return run


def _needed(steps: Sequence[Placed], wanted: Wanted) -> list[str]:
    """The steps that may run, and those before them: what is finished of these ends at once."""
    if wanted.only is None:
        return [step.name for step in steps]
    needed = set(wanted.only)
    for step in reversed(steps):
        if step.name in needed:
            needed |= {producer for producer, _ in step.after().values()}
    return [step.name for step in steps if step.name in needed]


def _confirm(steps: Sequence[Placed], *, yes: bool) -> None:
    """Ask on a terminal. Failure NMT654 where nobody says yes."""
    from nemotron.execution.slurm.submission import size

    print(f"To be submitted:\n{size(steps)}", file=sys.stderr)
    if yes:
        return
    if sys.stdin.isatty() and sys.stderr.isatty():
        print("Submit? [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() in ("y", "yes"):
            return
    raise Failure(blocked("NMT654", "nothing was submitted: it was not confirmed", fix="--yes"))


def _how_to_go_on(run: Run) -> str:
    commands = ("status", "logs", "cancel", "report")
    return "\n".join(["It goes on by itself:", *(f"  nemotron runs {name} {run.id}" for name in commands)])


def _stay(run: Run, store: Store, *, quiet: bool, as_json: bool) -> int:
    """Print the logs until the run ends. Ctrl-C leaves; the jobs go on."""
    from nemotron.cli.run_text import run_as_dict, step_as_dict, step_lines
    from nemotron.reporting.runs import report

    try:
        _follow(run, store, quiet=quiet)
    except KeyboardInterrupt:
        print(f"\nLeft, and the jobs go on. To end them: nemotron runs cancel {run.id}", file=sys.stderr)
        return _INTERRUPTED
    found = report(run, store)
    code = {"done": 0, "failed": 1}.get(found.status, _INTERRUPTED)
    if as_json:
        steps = [step_as_dict(step) for step in found.steps]
        print_json({"run": run.id, **run_as_dict(found), "steps": steps, "exit_code": code})
        return code
    print("\n".join(step_lines(found.steps)))
    if code:
        print(f"Go on with: nemotron runs resume {run.id}")
    return code


def _follow(run: Run, store: Store, *, quiet: bool) -> None:
    """Bring home what is new, and print it, until no job is left. A host that is away is asked again."""
    from nemotron.cli.runs_logs import LogPrinter, newest_attempts
    from nemotron.execution.slurm.home import refresh
    from nemotron.execution.slurm.host import Unanswered
    from nemotron.execution.slurm.states import is_alive

    printer = LogPrinter(several=True, to=sys.stderr)
    pause, is_away, going_on = _FIRST_POLL_SECONDS, False, True
    while going_on:
        try:
            going_on = is_alive(refresh(run))
            is_away = False
        except Unanswered as failure:
            if not is_away:
                print_diagnostics(failure.diagnostics)
            is_away = True
        if not quiet and printer.print_new(newest_attempts(run, store, None), last=not going_on):
            pause = _FIRST_POLL_SECONDS
        if going_on:
            time.sleep(pause)
            pause = min(_LAST_POLL_SECONDS, pause * 1.5)
