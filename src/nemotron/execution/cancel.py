"""Ending a run: its runner, then every process of its unfinished attempts. Sends signals.

What a host left open that is gone is recorded as interrupted.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nemotron.diagnostic import Failure, blocked
from nemotron.execution import processes
from nemotron.execution.living import host_of, runner_of, unfinished_attempts
from nemotron.execution.lock import holder_of, may_be_alive
from nemotron.execution.store import Run, Store, read_json, write_json

_POLL_SECONDS = 0.1
# The runner gives its job the usual grace, and then writes down how it ended.
_RUNNER_SECONDS = processes.GRACE_SECONDS + 10.0


@dataclass(frozen=True)
class Cancelled:
    """What was ended: the runner's pid if there was one, and the processes of jobs."""

    runner: int | None
    processes: list[int]


def cancel(
    run: Run, store: Store, *, host_is_gone: bool = False, patience: float = _RUNNER_SECONDS
) -> Cancelled:
    """End a run; nothing happens to one that is not running.

    Failure NMT813 for one of another host, unless `host_is_gone`: then it is recorded as interrupted.

    The runner is asked first: it ends its job and records that it was interrupted. What lives then, because
    there is no runner or it does not heed, is ended from here.
    """
    runner = runner_of(run, store)
    if runner is not None and (host := host_of(runner)):
        if host_is_gone:
            _give_up(run, store, runner)
            return Cancelled(None, [])
        command = f"nemotron runs cancel {run.id}"
        fix = f"on {host}: {command}; if that host is gone: {command} --host-is-gone"
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


def _give_up(run: Run, store: Store, runner: dict[str, Any]) -> None:
    """What a runner on a host that is gone left open was interrupted; the locks that it held are free."""
    locks = {store.run_lock_file(run)}
    for found in unfinished_attempts(run):
        told = read_json(found.attempt.command)
        if isinstance(told, dict) and told.get("runner") == runner:
            locks.add(store.lock_file(str(told.get("step")), str(told.get("key"))))
            locks |= {store.output_lock_file(Path(folder)) for folder in told.get("outputs", {}).values()}
            write_json(found.attempt.result, {"status": "interrupted", "outputs": [], "diagnostics": []})
    for file in locks:
        if holder_of(file) == runner:
            file.unlink(missing_ok=True)


def _end_runner(pid: int, runner: dict[str, Any], patience: float) -> None:
    deadline = time.monotonic() + patience
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    while may_be_alive(runner):
        if time.monotonic() > deadline:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_POLL_SECONDS)
