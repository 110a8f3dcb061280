"""The text of the two bash scripts: a job's, and the one that submits all jobs of a run. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from nemotron.profiles.profile import Profile

SUBMITTED, RELEASED = "@submitted", "@released"
GO = "go"
REFUSED, CUT_OFF, NOT_RELEASED = 65, 66, 67
_NOTICE_SECONDS = 120
# What the environment of a submission is cut down to: it is recorded by Slurm and handed to the job.
_KEPT = ("HOME", "USER", "LOGNAME", "SHELL", "PATH", "LANG", "SLURM_CONF", "SLURM_CLUSTERS")


@dataclass(frozen=True)
class JobSpec:
    """One job: its name, its size, and the folder of its attempt. `processes` are those of each node.

    `launch` is python, torchrun or ray.
    """

    name: str
    folder: PurePosixPath
    code: PurePosixPath
    python: str
    nodes: int
    processes: int
    gpus_per_node: int
    launch: str
    image: str | None = None

    @property
    def tasks(self) -> int:
        """One task for each node that runs processes of the step."""
        return self.nodes if self.launch == "torchrun" else 1


def job_script(job: JobSpec, profile: Profile) -> str:
    """The batch script of one job. It may be started again from its beginning at any time."""
    parts = [
        "#!/bin/bash -l",
        *(f"#SBATCH {option}" for option in _options(job, profile)),
        _PREAMBLE.format(folder=_quoted(job.folder), code=_quoted(job.code)),
        *profile.setup,
    ]
    container = _container(job, profile)
    if job.nodes > 1:
        parts.append(_MASTER)
    srun = f"srun --wait=0 --kill-on-bad-exit=1 --nodes={job.tasks} --ntasks={job.tasks}"
    program = f"{shlex.quote(job.python)} -m nemotron.execution.slurm.in_job {_quoted(job.folder)}"
    if job.launch == "ray":
        parts.append(_ray(job, container))
        srun = srun.replace("srun ", "srun --overlap ", 1)
    parts.append(_RUN.format(srun=" ".join([srun, *container]), program=program))
    return "\n".join(parts)


def submit_script(jobs: Sequence[tuple[str, str, Sequence[str]]]) -> str:
    """The script that submits (step, attempt's folder, steps that it waits for), in an order that fits.

    It runs on the login node in the run's folder. First comes one line of secrets on stdin. The first jobs
    are held until `go` comes on stdin; whatever goes wrong before that, the end of stdin included, takes
    every job back.
    """
    lines = [_SUBMIT.format(kept=" ".join(_KEPT), cut_off=CUT_OFF)]
    number = {step: index for index, (step, _, _) in enumerate(jobs)}
    for _, folder, after in jobs:
        parents = ":".join(f"${{ids[{number[parent]}]}}" for parent in after)
        options = f"--kill-on-invalid-dep=yes --dependency=afterok:{parents}" if parents else "--hold"
        lines.append(f"submit {shlex.quote(folder)} {options}")
    roots = " ".join(f"${{ids[{number[step]}]}}" for step, _, after in jobs if not after)
    lines.append(
        _RELEASE.format(
            submitted=SUBMITTED,
            released=RELEASED,
            go=GO,
            roots=roots,
            cut_off=CUT_OFF,
            not_released=NOT_RELEASED,
        )
    )
    return "\n".join(lines)


def _options(job: JobSpec, profile: Profile) -> Iterable[str]:
    yield f"--job-name={job.name}"
    # In a file's name Slurm reads `%` as the beginning of a placeholder.
    yield f"--output={_quoted(str(job.folder / 'log').replace('%', '%%'))} --open-mode=append"
    yield f"--requeue --signal=B:TERM@{_NOTICE_SECONDS}"
    yield f"--nodes={job.nodes} --ntasks-per-node=1"
    if job.gpus_per_node:
        yield f"--gpus-per-node={job.gpus_per_node}"
    if profile.exclusive:
        yield "--exclusive"
    named = {
        "account": profile.account,
        "partition": profile.partition,
        "qos": profile.qos,
        "time": profile.time,
        "mem": profile.mem,
        "cpus-per-task": profile.cpus_per_task,
        "constraint": profile.constraint,
    }
    for option, value in named.items():
        if value is not None:
            yield f"--{option}={shlex.quote(str(value))}"
    yield from profile.sbatch


def _container(job: JobSpec, profile: Profile) -> list[str]:
    """The options of the pyxis plugin, where an image is named: the run's folder and the mounts are in it."""
    if job.image is None:
        return []
    own = str(PurePosixPath(profile.remote_job_dir or job.folder))
    places = dict.fromkeys([own, *(str(mount.cluster) for mount in profile.mounts)])
    mounts = ",".join(f"{place}:{place}" for place in places)
    return [
        f"--container-image={shlex.quote(job.image)}",
        f"--container-mounts={shlex.quote(mounts)}",
    ]


def _ray(job: JobSpec, container: list[str]) -> str:
    """Start Ray on every node of the job, and wait until all have joined; Slurm ends it with the job."""
    ray = f"{shlex.quote(job.python)} -m ray.scripts.scripts"
    start = " ".join(["srun --overlap --nodes=1 --ntasks=1", *container])
    address = "" if job.nodes > 1 else f"{_MASTER}\n"
    return address + _RAY.format(start=start, ray=ray, gpus=job.gpus_per_node, nodes=job.nodes)


def _quoted(path: PurePosixPath | str) -> str:
    return shlex.quote(str(path))


_PREAMBLE = """\
cd {folder} || exit 1
export PYTHONPATH={code}
export NEMOTRON_JOB_STARTED=$(date +%s)
# Before the end comes, the step is asked to save its state; its own processes get the signal, not this shell.
notice() {{ scancel --signal=TERM "$SLURM_JOB_ID"; }}
trap notice TERM
rm -f requeue"""

_MASTER = """\
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
MASTER_ADDR=$(srun --nodes=1 --ntasks=1 --nodelist="$head" hostname --ip-address | awk '{print $1; exit}')
export MASTER_ADDR MASTER_PORT=$((20000 + SLURM_JOB_ID % 20000))"""

_RUN = """\
{srun} {program} &
pid=$!
# A signal ends `wait` early.
while kill -0 "$pid" 2>/dev/null; do wait "$pid"; done
wait "$pid"
code=$?
if [ -e requeue ]; then
  rm -f requeue
  # A job that was cancelled hears the same signal as one that is preempted or near its time limit.
  case $(scontrol --oneliner show job "$SLURM_JOB_ID") in
    *" JobState=RUNNING "*) scontrol requeue "$SLURM_JOB_ID" && exit 0 ;;
  esac
fi
exit "$code"
"""

_RAY = """\
export RAY_USAGE_STATS_ENABLED=0 RAY_ADDRESS=$MASTER_ADDR:$MASTER_PORT
temporary=/tmp/nemotron-ray-$SLURM_JOB_ID
{start} --nodelist="$head" {ray} start --head --block --node-ip-address="$MASTER_ADDR" \\
  --port="$MASTER_PORT" --num-gpus={gpus} --include-dashboard=false --temp-dir="$temporary" &
joined() {{
  {start} --nodelist="$head" {ray} status --address="$RAY_ADDRESS" 2>/dev/null | grep -c ' node_'
}}
for node in $(scontrol show hostnames "$SLURM_JOB_NODELIST" | tail -n +2); do
  until [ "$(joined)" -ge 1 ]; do [ $SECONDS -gt 600 ] && exit 1; done
  {start} --nodelist="$node" {ray} start --address="$RAY_ADDRESS" --block --num-gpus={gpus} &
done
until [ "$(joined)" -ge {nodes} ]; do [ $SECONDS -gt 600 ] && echo "Ray did not start" && exit 1; done"""

_SUBMIT = (
    """\
#!/bin/bash
# Submits the jobs of this run; all of them or none.
set -u
umask 077
cd "$(dirname "$0")" || exit 1
ids=()
folders=()
kept=()
for name in {kept}; do [ -n "${{!name-}}" ] && kept+=("$name=${{!name}}"); done
undo() {{
  trap '' HUP INT TERM PIPE
  [ ${{#ids[@]}} -gt 0 ] && scancel "${{ids[@]}}" </dev/null
  for folder in "${{folders[@]}}"; do rm -f "$folder/.secrets"; done
  exit "$1"
}}
trap 'undo {cut_off}' HUP INT TERM PIPE
IFS= read -r secrets || exit {cut_off}
submit() {{
  local folder=$1 id
  shift
  folders+=("$folder")
  [ -n "$secrets" ] && printf '%s\\n' "$secrets" >"$folder/.secrets"
  id=$(env -i "${{kept[@]}}" sbatch --parsable "$@" "$folder/job.sh" </dev/null) || undo """
    + str(REFUSED)
    + """
  id=${{id%%;*}}
  ids+=("$id")
  printf '%s %s\\n' "$id" "$folder" >>jobs
}}"""
)

_RELEASE = """\
echo {submitted}
IFS= read -r word && [ "$word" = {go} ] || undo {cut_off}
scontrol release {roots} </dev/null || undo {not_released}
trap - HUP INT TERM PIPE
touch released
echo {released}
"""
