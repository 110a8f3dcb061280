"""What a job on the cluster runs, one for each of its nodes: prepare, launch the step, record what it made.

`python -m nemotron.execution.slurm.in_job ATTEMPT`, on the standard library and PyYAML. The task of the
first node prepares and records; the others wait for its word. Slurm may start a job again from its
beginning at any time, so everything here can be done again.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from nemotron.execution import processes
from nemotron.execution.slurm import in_job_files, in_job_outputs
from nemotron.execution.slurm.in_job_files import JobFiles
from nemotron.execution.store import write_json

_POLL_SECONDS = 0.1
# Slurm signals every process of a step; what has not heard of it after this time is told once more.
_TELL_AGAIN_SECONDS = 2.0
_TIME_LIMIT_SECONDS = 240.0


class Notice:
    """Whether this job was told that its end is near."""

    def __init__(self) -> None:
        self.came_at: float | None = None
        signal.signal(signal.SIGTERM, self._hear)

    def _hear(self, *_: object) -> None:
        self.came_at = self.came_at or time.monotonic()


def main(folder: Path) -> int:
    """Do this task's part of the job; the exit code."""
    notice = Notice()
    files = JobFiles(folder)
    rank = int(os.environ.get("SLURM_PROCID", "0"))
    if rank:
        return _help(files, rank, notice)
    if files.is_over():
        return _over(files)
    began = time.time()
    try:
        made = in_job_outputs.finished(files)
        if made is not None:
            return _end(files, {"status": "skipped", "outputs": made}, began)
        in_job_files.prepare(files)
    except in_job_files.NotReady as problem:
        return _end(files, {"status": "failed", "diagnostics": [problem.diagnostic]}, began, code=1)
    files.say("go")
    code = _launch(files, rank, notice)
    return _judge(files, code, notice, began)


def _help(files: JobFiles, rank: int, notice: Notice) -> int:
    """The task of another node: its processes begin when the first node has prepared everything."""
    while (word := files.heard()) is None:
        if notice.came_at is not None:
            return 0
        time.sleep(_POLL_SECONDS)
    if word != "go":
        return 0
    code = _launch(files, rank, notice)
    if code and notice.came_at is None:
        files.tell_failure(rank, code)
    return 0  # the first node decides; a task that fails would have Slurm end it before it has


def _launch(files: JobFiles, rank: int, notice: Notice) -> int:
    """Run this node's processes of the step to their end; their exit code."""
    told, mark = files.told, f"{files.told['mark']}-{files.start}-{rank}"
    argv = in_job_files.argv(told, sys.executable, files.config, rank)
    environment = {**in_job_files.environment(files), processes.MARK: mark}
    # torchrun ends its workers at the first TERM; they must save their state before. It hears of none, and
    # `nemotron.backends.job` lets the workers hear again.
    blocked = {signal.SIGTERM} if told["launch"] == "torchrun" else set()
    process = subprocess.Popen(
        argv,
        cwd=files.folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, blocked) and None,
    )
    told_again = False
    while process.poll() is None:
        if rank == 0 and files.failures():
            processes.end(mark, process)
            break
        if notice.came_at is not None and not told_again:
            told_again = time.monotonic() - notice.came_at > _TELL_AGAIN_SECONDS
            if told_again:
                _tell(mark)
        time.sleep(_POLL_SECONDS)
    processes.end(mark, grace=2.0)
    return process.returncode or (1 if files.failures() else 0)


def _tell(mark: str) -> None:
    """Send TERM to every process of the step."""
    for pid in processes.marked(mark):
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            continue


def _judge(files: JobFiles, code: int, notice: Notice, began: float) -> int:
    """Record what was made; else say why not, or ask for another start."""
    if code == 0:
        try:
            made = in_job_outputs.record(files)
            return _end(files, {"status": "done", "outputs": made}, began)
        except in_job_files.NotReady as problem:
            return _end(files, {"status": "failed", "diagnostics": [problem.diagnostic]}, began, code=1)
    if notice.came_at is not None:
        if files.made_progress() or not _near_time_limit(files.told):
            return _again(files, "the job was told that its end is near")
        return _end(files, {"status": "failed", "diagnostics": [_no_progress(files)]}, began, code=code)
    if files.failed_before() < int(files.told["retries"]):
        return _again(files, f"the job failed with exit code {code}", failed=True)
    return _end(files, {"status": "failed"}, began, code=code)


def _near_time_limit(told: dict[str, Any]) -> bool:
    limit = told.get("time_seconds")
    started = float(os.environ.get("NEMOTRON_JOB_STARTED") or time.time())
    return limit is not None and time.time() - started > float(limit) - _TIME_LIMIT_SECONDS


def _no_progress(files: JobFiles) -> dict[str, Any]:
    return in_job_files.diagnostic(
        "NMT821",
        "the job came near its time limit without a step of progress",
        fix="give the profile a longer `time`, or the step a smaller piece of work between checkpoints",
        file=files.folder / "log",
    )


def _again(files: JobFiles, why: str, *, failed: bool = False) -> int:
    """Ask the batch script to put the job back into the queue."""
    print(f"nemotron: {why}; it asks to be put back into the queue", flush=True)
    files.note_start(failed=failed)
    (files.folder / "requeue").touch()
    files.say("over")
    return 0


def _end(files: JobFiles, result: dict[str, Any], began: float, code: int = 0) -> int:
    """Write result.json, the last word on this attempt."""
    whole = {
        "status": result["status"],
        "exit_code": code,
        "key": files.told["key"],
        "seconds": round(time.time() - began, 3),
        "outputs": result.get("outputs", []),
        "diagnostics": result.get("diagnostics", []),
        "recoveries": [],
    }
    write_json(files.folder / "result.json", whole)
    return _over(files)


def _over(files: JobFiles) -> int:
    """This attempt has its result: the other tasks may go, nothing secret stays."""
    files.say("over")
    files.secrets.unlink(missing_ok=True)
    result = json.loads((files.folder / "result.json").read_text(encoding="utf-8"))
    return 0 if result["status"] in ("done", "skipped") else result["exit_code"] or 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
