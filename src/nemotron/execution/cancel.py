"""Ending a run: its runner, then every process of its unfinished attempts. Sends signals."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from typing import Any

from nemotron.diagnostic import Failure, blocked
from nemotron.execution import processes
from nemotron.execution.living import host_of, runner_of, unfinished_attempts
from nemotron.execution.lock import may_be_alive
from nemotron.execution.store import Run, Store

_POLL_SECONDS = 0.1
# The runner gives its job the usual grace, and then writes down how it ended.
_RUNNER_SECONDS = processes.GRACE_SECONDS + 10.0


@dataclass(frozen=True)
class Cancelled:
    """What was ended: the runner's pid if there was one, and the processes of jobs."""

    runner: int | None
    processes: list[int]


def cancel(run: Run, store: Store, *, patience: float = _RUNNER_SECONDS) -> Cancelled:
    """End a run; nothing happens to one that is not running. Failure NMT813 for one of another host.

    The runner is asked first: it ends its job and records that it was interrupted. What lives then, because
    there is no runner or it does not heed, is ended from here.
    """
    runner = runner_of(run, store)
    if host := host_of(runner):
        fix = f"on {host}: nemotron runs cancel {run.id}"
        raise Failure(blocked("NMT813", f"{run.id} runs on another host, {host}", fix=fix))
    left = unfinished_attempts(run)
    living = sorted(set().union(*(found.processes() for found in left)))
    pid = int(runner["pid"]) if runner is not None else None
    if runner is not None and pid is not None and pid != os.getpid():
        _end_runner(pid, runner, patience)
    for found in left:
        if found.mark:
            processes.end(found.mark)
    return Cancelled(pid, living)


def _end_runner(pid: int, runner: dict[str, Any], patience: float) -> None:
    deadline = time.monotonic() + patience
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    while may_be_alive(runner):
        if time.monotonic() > deadline:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_POLL_SECONDS)
