"""Handing a run to the cluster: one folder sent, one conversation that submits every job or none.

Writes the attempts into the run store, and the same into the run's folder on the cluster.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import IO, Any

from nemotron.config.secrets import redact_tree
from nemotron.config.yaml_places import dump_yaml
from nemotron.diagnostic import Diagnostic, Failure, error
from nemotron.execution.pipeline_result import EVERYTHING, Wanted
from nemotron.execution.slurm import secrets, submission
from nemotron.execution.slurm.cluster import EXECUTOR, Cluster, cluster_of
from nemotron.execution.slurm.host import Host, Unanswered, unanswered
from nemotron.execution.slurm.script import (
    GO,
    NOT_RELEASED,
    REFUSED,
    RELEASED,
    SUBMITTED,
    job_script,
    submit_script,
)
from nemotron.execution.slurm.states import job_prefix, no_slurm, scheduler_unanswered
from nemotron.execution.slurm.submission import Placed
from nemotron.execution.store import Attempt, Run, Store, write_json

_NO_CONTROLLER = ("Unable to contact slurm controller", "Socket timed out", "Connection refused")


def new_run(store: Store, name: str, pipeline: str, steps: Sequence[Placed], **told: Any) -> Run:
    """A run's folder here, that says where the run will be: the checker made sure of one cluster."""
    profile = steps[0].profile
    run = store.new_run(name, pipeline, executor=EXECUTOR, **told)
    host = Host.of(profile)
    where = {"name": host.name, "user": host.user, "port": host.port, "identity": host.identity}
    remote = str(PurePosixPath(profile.remote_job_dir or "") / run.id)
    has_secrets = any(step.profile.secrets for step in steps)
    write_json(
        run.folder / "run.json",
        {**run.told(), "cluster": where, "remote": remote, "has_secrets": has_secrets},
    )
    return run


def submit(run: Run, steps: Sequence[Placed], names: Collection[str], wanted: Wanted = EVERYTHING) -> None:
    """Submit the jobs of the steps of these `names`; the others are finished in this run.

    Failure NMT652, NMT653: then no job of it is left in the queue, and no attempt here. NMT650, NMT651 (exit
    code 4) where that cannot be told: then the attempts are kept, and the run can be resumed or cancelled.
    """
    cluster = cluster_of(run)
    chosen = [step for step in steps if step.name in names]
    attempts = {step.name: run.new_attempt(step.name) for step in chosen}
    known = attempts | {s.name: run.attempts(s.name)[0] for s in steps if s.name not in names}
    try:
        for step in chosen:
            _write(run, cluster.folder, step, attempts[step.name], known, wanted)
        jobs = [
            (step.name, str(submission.relative(attempts[step.name])), _waits_for(step, attempts))
            for step in chosen
        ]
        _send(run, cluster, chosen, attempts.values(), submit_script(jobs))
        _hand_over(cluster, secrets.as_line(chosen))
    except _CutOff as failure:
        raise Unanswered(replace(each, fix=_go_on(run)) for each in failure.diagnostics) from failure
    except BaseException:
        for attempt in attempts.values():
            shutil.rmtree(attempt.folder)
        raise


def forget(run: Run) -> None:
    """Remove a run of which nothing was submitted."""
    if run.attempts():
        return
    cluster = cluster_of(run)
    shutil.rmtree(run.folder)
    with contextlib.suppress(Unanswered):
        cluster.host.run(f"rm -rf -- {shlex.quote(str(cluster.folder))}\n")


class _CutOff(Unanswered):
    """The host or its scheduler went away in the middle: what became of the jobs cannot be told from here."""


def _go_on(run: Run) -> str:
    return (
        f"nemotron runs resume {run.id}: it takes out of the queue what was left there, and submits again; "
        f"nemotron runs status {run.id} tells whether jobs were released"
    )


def _waits_for(step: Placed, attempts: dict[str, Attempt]) -> list[str]:
    needed = {producer for producer, _ in step.after().values()}
    return [name for name in attempts if name in needed]


def _write(
    run: Run, folder: PurePosixPath, step: Placed, attempt: Attempt, known: dict[str, Attempt], wanted: Wanted
) -> None:
    """The attempt's files: config, orders, batch script, and what reports read.

    Nothing depends on them before they are sent, so they need not be on the disk one by one.
    """
    name = f"{job_prefix(run)}{submission.job_suffix(step.name)}"
    job = submission.job_spec(step, name, folder, attempt)
    orders = submission.orders(step, job, known, wanted)
    attempt.config.write_text(dump_yaml(step.config), encoding="utf-8")
    (attempt.folder / "job.json").write_text(json.dumps(orders, indent=1) + "\n", encoding="utf-8")
    (attempt.folder / "job.sh").write_text(job_script(job, step.profile), encoding="utf-8")
    told = json.dumps(
        {
            "step": orders["step"],
            "argv": ["sbatch", str(job.folder / "job.sh")],
            "cwd": str(job.folder),
            "env_vars": redact_tree(step.request.config.run.env_vars),
            "executor": EXECUTOR,
            "job": name,
            "key": step.key,
            "library": step.request.library,
            "gpus": step.request.gpus,
            "outputs": step.outputs,
            "ingredients": redact_tree(step.parts),
        },
        indent=1,
    )
    attempt.command.write_text(told + "\n", encoding="utf-8")


def _send(
    run: Run, cluster: Cluster, steps: Sequence[Placed], attempts: Iterable[Attempt], script: str
) -> None:
    """Copy the code, the attempts and the submit script into the run's folder there."""
    for place, source in submission.code_of(steps).items():
        link = run.folder / place
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(source)
    (run.folder / "submit.sh").write_text(script, encoding="utf-8")
    own = [str(submission.relative(attempt)) for attempt in attempts]
    cluster.host.send(run.folder, ["code", "submit.sh", *own], str(cluster.folder))


def _hand_over(cluster: Cluster, handed_on: str) -> None:
    """Run the submit script: it takes the secrets, holds every job until we say go, and tells how it went."""
    script = str(cluster.folder / "submit.sh")
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        process = cluster.host.start(script, errors)
        is_released = False
        with _closing(process) as (stdin, stdout), contextlib.suppress(BrokenPipeError):
            print(handed_on, file=stdin, flush=True)
            if _wait_for(SUBMITTED, stdout):
                print(GO, file=stdin, flush=True)
                is_released = _wait_for(RELEASED, stdout)
        errors.seek(0)
        if not is_released:
            raise _failure(cluster, process.returncode, errors.read())


@contextlib.contextmanager
def _closing(process: subprocess.Popen[str]) -> Any:
    """Its pipes; the end of stdin ends it, and takes its jobs back if they are not released."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdin, process.stdout
    finally:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        process.wait()
        process.stdout.close()


def _wait_for(word: str, stdout: IO[str]) -> bool:
    """Whether the script said the word before it ended; what a profile script prints is passed over."""
    return any(line.strip() == word for line in stdout)


def _failure(cluster: Cluster, code: int, errors: str) -> Failure:
    command = ["bash", str(cluster.folder / "submit.sh")]
    if code in (REFUSED, NOT_RELEASED):
        if any(sign in errors for sign in _NO_CONTROLLER):
            return _CutOff(scheduler_unanswered(cluster.host, "sbatch", errors).diagnostics)
        if "not found" in errors or "No such file" in errors:
            return no_slurm(cluster.host, "sbatch")
        return Failure(_refused(cluster, errors))
    return _CutOff(unanswered(cluster.host, command, errors).diagnostics)


def _refused(cluster: Cluster, errors: str) -> Diagnostic:
    lines = [line.strip() for line in errors.splitlines() if "error" in line.lower()] or [errors.strip()]
    return error(
        "NMT653",
        f"Slurm on {cluster.host} took no job: {lines[-1].removeprefix('sbatch: error: ')}",
        detail="the jobs that it had taken before are cancelled: nothing of this run is in the queue",
        fix="correct the profile: account, partition, qos, time and sbatch are handed to sbatch as they are",
    )
