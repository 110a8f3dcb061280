"""What a run on a cluster came to, brought home: attempts' results, logs and records, and the jobs' states.

Writes the run's folder here, so that whatever reads runs finds there what a local run leaves.
"""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass
from typing import Any

from nemotron.catalog.catalog import Catalog, Step, default_catalog
from nemotron.catalog.types import Types
from nemotron.checking.render import as_dict
from nemotron.diagnostic import Diagnostic, Failure, Place, blocked, error
from nemotron.execution import failure
from nemotron.execution.slurm.cluster import Cluster, cluster_of
from nemotron.execution.slurm.states import EXPLAINED, JobState, ask, is_alive, job_prefix, remember
from nemotron.execution.store import Attempt, Run, read_json, slug, write_json

_NAMES = ("log", "progress.jsonl", "*.json", "config.yaml", "released")
_DEPTH = 5


@dataclass(frozen=True)
class _Known:
    """What the explanation of a failure needs to know of a step."""

    step: Step
    types: Types


def refresh(run: Run) -> dict[str, JobState]:
    """Ask the scheduler, then bring home what is new; step → its job. Failure NMT650, NMT651."""
    cluster = cluster_of(run)
    states = ask(cluster.host, run)  # before the files, so that these are never older
    cluster.host.fetch(str(cluster.folder), run.folder, _NAMES, _DEPTH)
    remember(run, states)
    if run.told().get("has_secrets") and not is_alive(states):
        _sweep(cluster)
    for attempt in run.attempts():
        _explain(attempt, states)
    return states


def cancel(run: Run) -> list[JobState]:
    """Take every job of the run out of the queue, and end those that run. Those that there were."""
    cluster = cluster_of(run)
    living = [job for job in ask(cluster.host, run).values() if job.is_alive]
    if living:
        # By name as well: what a submission that was cut off left behind, and what came since.
        prefix = shlex.quote(job_prefix(run))
        ids = " ".join(str(job.id) for job in living)
        more = f'squeue -h -u "$(id -un)" -o "%i|%j" | grep -F -- "|"{prefix} | cut -d "|" -f 1'
        cluster.host.run(f"scancel {ids} $({more})\n")
    refresh(run)
    return living


def to_resume(run: Run, steps: list[str]) -> list[str]:
    """Those of the steps that have not ended well in this run. Failure NMT656 while jobs of it are left.

    The jobs of a submission that was cut off, which are held, are taken out of the queue.
    """
    states = refresh(run)
    living = [job for job in states.values() if job.is_alive]
    if any(job.is_held for job in living):
        cancel(run)
    elif living:
        count = f"{len(living)} job{'s' * (len(living) > 1)}"
        fix = f"wait for it (`nemotron runs status {run.id}`), or `nemotron runs cancel {run.id}`"
        raise Failure(blocked("NMT656", f"{count} of {run.id} wait or run on the cluster", fix=fix))
    return [name for name in steps if _status(run, name) not in ("done", "skipped")]


def _status(run: Run, step: str) -> str | None:
    """How the newest attempt at a step ended, as the job wrote it down."""
    attempts = run.attempts(step)
    result = read_json(attempts[0].result) if attempts else None
    return result.get("status") if isinstance(result, dict) else None


def _sweep(cluster: Cluster) -> None:
    """Remove the secrets of jobs that never came to run, or were ended."""
    cluster.host.run(f"rm -f {shlex.quote(str(cluster.folder))}/*/*/.secrets\n")


def _explain(attempt: Attempt, states: dict[str, JobState]) -> None:
    """Say why an attempt failed, once: by what the job told, its log, and what Slurm says."""
    file = attempt.folder / EXPLAINED
    job = states.get(slug(attempt.folder.parent.name))
    result = read_json(attempt.result)
    if file.exists() or job is None or job.is_alive:
        return
    if isinstance(result, dict) and (result.get("status") != "failed" or result.get("diagnostics")):
        return
    ended_by_slurm = not isinstance(result, dict)
    if ended_by_slurm and job.state in ("COMPLETED", "CANCELLED"):
        return
    found, recoveries = _why(attempt, result if isinstance(result, dict) else {})
    if ended_by_slurm and (found is None or found.code in ("NMT801", "NMT802")):
        found = _by_slurm(attempt, job)
    told: dict[str, Any] = {"diagnostics": [as_dict(found)] if found else []}
    write_json(file, {**told, "recoveries": [asdict(recovery) for recovery in recoveries]})


def _why(attempt: Attempt, result: dict[str, Any]) -> tuple[Diagnostic | None, list[failure.Recovery]]:
    catalog: Catalog = default_catalog()
    told = read_json(attempt.command)
    try:
        step = catalog.step(str(told.get("step")) if isinstance(told, dict) else "")
    except Failure:
        return None, []
    known = _Known(step, catalog.types)
    return failure.explain(known, attempt, int(result.get("exit_code") or 1), memory_kills=0)


def _by_slurm(attempt: Attempt, job: JobState) -> Diagnostic:
    """NMT820: the job was ended from outside."""
    hints = {
        "TIMEOUT": "a longer `time` in the profile; a step that saves its state goes on from there",
        "OUT_OF_MEMORY": "more `mem` in the profile, or a smaller batch",
        "NODE_FAIL": "`nemotron runs resume`: a node of the cluster failed",
    }
    summary = f"Slurm ended job {job.id}: {job.state}"
    fix = hints.get(job.state, "look at the end of its log")
    return error("NMT820", summary, where=Place(str(attempt.log)), fix=fix)
