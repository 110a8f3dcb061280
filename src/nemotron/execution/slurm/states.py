"""What the scheduler says of a run's jobs, by their names. Asks squeue, and sacct where that is on."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass
from typing import Any

from nemotron.diagnostic import Failure, blocked
from nemotron.execution.slurm.host import Answer, Host, unanswered
from nemotron.execution.store import Run, read_json, write_json

# Why an attempt failed, found out at home and kept beside its result.
EXPLAINED = "explained.json"
_BEGIN = "@nemotron"
# What a job is called that is over; any other state is one of waiting, running or being put back.
_OVER = frozenset(
    {
        "BOOT_FAIL",
        "CANCELLED",
        "COMPLETED",
        "DEADLINE",
        "FAILED",
        "NODE_FAIL",
        "OUT_OF_MEMORY",
        "PREEMPTED",
        "REVOKED",
        "TIMEOUT",
    }
)


@dataclass(frozen=True)
class JobState:
    """One job as the scheduler knows it; `reason` is why it waits."""

    id: int
    name: str
    state: str
    reason: str = ""

    @property
    def is_alive(self) -> bool:
        """Whether it waits, runs, or is about to run again."""
        return self.state not in _OVER

    @property
    def is_held(self) -> bool:
        return self.state == "PENDING" and self.reason == "JobHeldUser"


def is_alive(states: dict[str, JobState]) -> bool:
    """Whether a job of the run waits or runs."""
    return any(job.is_alive for job in states.values())


def job_prefix(run: Run) -> str:
    """What the names of a run's jobs begin with."""
    return f"nmt-{run.id}-"


def ask(host: Host, run: Run) -> dict[str, JobState]:
    """Step → its newest job, of every job of the run that the scheduler remembers.

    squeue knows what is in the queue and what left it a while ago; sacct the rest, a little later, and not
    on every cluster. Failure NMT650, NMT651 (exit code 4) where nobody answers.
    """
    prefix = job_prefix(run)
    answer = host.run(_script(prefix, since=run.id[:8]))
    rows = _rows(answer, host)
    found: dict[str, JobState] = {}
    for row in rows:
        parts = row.split("|", 3)
        if len(parts) != 4 or not parts[0].isdigit() or not parts[3].startswith(prefix):
            continue
        state = (parts[1].split() or [""])[0].rstrip("+")
        job = JobState(int(parts[0]), parts[3], state, parts[2])
        known = found.get(job.name)
        if known is None or job.id > known.id:  # squeue's rows come first, and are newer
            found[job.name] = job
    return {name.removeprefix(prefix): job for name, job in found.items()}


def _script(prefix: str, since: str) -> str:
    day = f"{since[:4]}-{since[4:6]}-{since[6:8]}" if since.isdigit() else "1970-01-01"
    wanted = shlex.quote(prefix)
    return (
        f"echo {_BEGIN}\n"
        'mine=$(squeue -h -u "$(id -un)" -t all -o "%i|%T|%r|%j") || exit 3\n'
        f'printf "%s\\n" "$mine" | grep -F -- "|"{wanted} || true\n'
        # Its clock may be a day off ours.
        f"sacct -n -P -X -S $(date -d '{day} -1 day' +%F 2>/dev/null || echo 1970-01-01) "
        f'-o JobID,State,ExitCode,JobName%400 2>/dev/null | grep -F -- "|"{wanted} || true\n'
    )


def _rows(answer: Answer, host: Host) -> list[str]:
    if answer.code == 3:
        if "not found" in answer.errors:
            raise no_slurm(host, "squeue")
        raise scheduler_unanswered(host, "squeue", answer.errors)
    if answer.code:
        raise unanswered(host, ["bash"], answer.errors)
    return answer.output.partition(_BEGIN)[2].splitlines()


def scheduler_unanswered(host: Host, command: str, errors: str) -> Failure:
    """NMT651, exit code 4: the host is there, its scheduler does not answer."""
    failure = unanswered(host, [command], errors)
    said = errors.strip().splitlines()
    failure.diagnostics[:] = [
        blocked(
            "NMT651",
            f"the scheduler of {host} did not answer: {said[-1] if said else 'it said nothing'}",
            detail=f"the command that failed: {command}",
            fix="the same command again when it is back; nothing of the run is lost",
        )
    ]
    return failure


def no_slurm(host: Host, command: str) -> Failure:
    """NMT652: the host has no Slurm commands."""
    fix = "name the login node as the profile's `host`, or load Slurm in its ~/.bash_profile"
    return Failure(blocked("NMT652", f"{host} has no `{command}`", fix=fix))


def remember(run: Run, states: dict[str, JobState]) -> None:
    """Keep what the scheduler said beside the run: what is read offline, and when nobody answers."""
    write_json(run.folder / "cluster.json", {"jobs": {step: asdict(job) for step, job in states.items()}})


def remembered(run: Run) -> dict[str, JobState]:
    """What the scheduler said last."""
    told = read_json(run.folder / "cluster.json")
    jobs: Any = told.get("jobs", {}) if isinstance(told, dict) else {}
    return {step: JobState(**job) for step, job in jobs.items()}
