"""Who is at work on a run: its runner, and the processes of its jobs. Reads the run store and /proc."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nemotron.execution import processes
from nemotron.execution.lock import holder_of, is_elsewhere, may_be_alive
from nemotron.execution.slurm.cluster import is_on_cluster
from nemotron.execution.slurm.states import is_alive, remembered
from nemotron.execution.store import Attempt, Run, Store, read_json


@dataclass(frozen=True)
class Unfinished:
    """An attempt without a result, its mark, and the process that ran it."""

    attempt: Attempt
    mark: str | None
    runner: dict[str, Any]

    def processes(self) -> set[int]:
        """The living processes of the job."""
        return processes.marked(self.mark) if self.mark else set()

    @property
    def runner_lives(self) -> bool:
        return may_be_alive(self.runner)


def unfinished(attempt: Attempt) -> Unfinished | None:
    """What is known of an attempt without a result; None when it has one."""
    if attempt.result.exists():
        return None
    told = read_json(attempt.command)
    told = told if isinstance(told, dict) else {}
    return Unfinished(attempt, told.get("attempt"), told.get("runner") or {})


def unfinished_attempts(run: Run) -> list[Unfinished]:
    """Every attempt of a run without a result."""
    return [found for attempt in run.attempts() if (found := unfinished(attempt)) is not None]


def runner_of(run: Run, store: Store) -> dict[str, Any] | None:
    """The process that runs a run; None when it is gone. One on another host may be alive."""
    if (holder := holder_of(store.run_lock_file(run))) is not None:
        return holder
    return next((found.runner for found in unfinished_attempts(run) if found.runner_lives), None)


def is_running(run: Run, store: Store) -> bool:
    """Whether a runner or a job of the run lives; one on a cluster by what the scheduler said last."""
    if is_on_cluster(run):
        return is_alive(remembered(run))
    if runner_of(run, store) is not None:
        return True
    return any(found.processes() for found in unfinished_attempts(run))


def host_of(runner: dict[str, Any] | None) -> str | None:
    """The other host that a runner is on; None for this one."""
    return str(runner.get("host")) if runner is not None and is_elsewhere(runner) else None
