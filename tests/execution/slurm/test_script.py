"""The text of the scripts: what Slurm is asked for, and what the job does."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from nemotron.execution.slurm.script import JobSpec, job_script, submit_script
from nemotron.profiles.profile import Profile

JOB = JobSpec(
    name="nmt-run-train",
    folder=PurePosixPath("/shared/run/train/1"),
    code=PurePosixPath("/shared/run/code"),
    python="/opt/my env/bin/python",
    nodes=1,
    processes=4,
    gpus_per_node=4,
    launch="torchrun",
)


def profile(**keys: Any) -> Profile:
    return Profile.model_validate(
        {"name": "p", "file": Path("env.toml"), "executor": "slurm", "remote_job_dir": "/shared", **keys}
    )


def options(script: str) -> dict[str, str]:
    """Every option of the batch script, the last one of a name."""
    words = [w for line in script.splitlines() if line.startswith("#SBATCH ") for w in line[8:].split(" --")]
    pairs = [word.removeprefix("--").partition("=") for word in words]
    return {name: value for name, _, value in pairs}


def is_bash(script: str) -> bool:
    return subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True).stderr == ""


def test_slurm_is_asked_for_what_the_profile_and_the_step_say() -> None:
    keys = {"account": "me", "partition": "a,b", "qos": "high", "time": "1-00:00:00", "mem": "0"}
    script = job_script(JOB, profile(**keys, cpus_per_task=8, exclusive=True, constraint="x&y"))
    found = options(script)
    assert is_bash(script)
    assert found["job-name"] == "nmt-run-train"
    assert found["output"] == "/shared/run/train/1/log"
    assert (found["nodes"], found["ntasks-per-node"], found["gpus-per-node"]) == ("1", "1", "4")
    assert found["signal"] == "B:TERM@120"
    assert found["constraint"] == "'x&y'"
    assert {name: found[name] for name in keys} == keys
    assert {"requeue", "exclusive"} <= set(found)
    assert "'/opt/my env/bin/python' -m nemotron.execution.slurm.in_job" in script


def test_the_profiles_own_options_come_last_and_count() -> None:
    found = options(job_script(JOB, profile(sbatch=["--signal=B:TERM@30", "--comment=mine"])))
    assert (found["signal"], found["comment"]) == ("B:TERM@30", "mine")


def test_no_gpus_are_asked_for_where_none_are_wanted() -> None:
    assert "gpus-per-node" not in options(job_script(replace(JOB, gpus_per_node=0), profile()))


def test_a_percent_sign_in_a_folder_is_no_placeholder() -> None:
    script = job_script(replace(JOB, folder=PurePosixPath("/a%j/b")), profile())
    assert options(script)["output"] == "/a%%j/b/log"


def test_a_container_is_named_only_where_there_is_one() -> None:
    assert "--container" not in job_script(JOB, profile())
    script = job_script(
        replace(JOB, image="nvcr.io#nvidia/nemo:25.11"), profile(mounts=["/here:/data", "/same"])
    )
    assert "--container-image='nvcr.io#nvidia/nemo:25.11'" in script
    assert "--container-mounts=/shared:/shared,/data:/data,/same:/same" in script
    assert is_bash(script)


def test_nodes_meet_on_the_first_one() -> None:
    script = job_script(replace(JOB, nodes=2), profile(setup=["module load cuda"]))
    assert "MASTER_ADDR" in script
    assert "--nodes=2 --ntasks=2" in script
    assert script.index("module load cuda") < script.index("srun")
    assert "MASTER_ADDR" not in job_script(JOB, profile())


@pytest.mark.parametrize("nodes", [1, 3])
def test_ray_is_started_on_every_node_before_the_step_and_told_to_it(nodes: int) -> None:
    script = job_script(replace(JOB, launch="ray", nodes=nodes), profile())
    assert is_bash(script)
    head, step = script.index("start --head"), script.index("nemotron.execution.slurm.in_job")
    assert head < script.index("tail -n +2") < step
    assert f'[ "$(joined)" -ge {nodes} ]' in script
    assert re.search(r"export .*RAY_ADDRESS=\$MASTER_ADDR", script)
    assert re.search(r"srun --overlap .*--ntasks=1 .*slurm\.in_job", script)
    assert "--num-gpus=4" in script


def test_jobs_are_submitted_in_order_and_only_the_first_are_held() -> None:
    script = submit_script([("a", "a/1", []), ("b", "b/2", ["a"]), ("c", "c/1", ["a", "b"])])
    assert is_bash(script)
    lines = [line for line in script.splitlines() if line.startswith("submit ")]
    assert lines == [
        "submit a/1 --hold",
        "submit b/2 --kill-on-invalid-dep=yes --dependency=afterok:${ids[0]}",
        "submit c/1 --kill-on-invalid-dep=yes --dependency=afterok:${ids[0]}:${ids[1]}",
    ]
    assert "scontrol release ${ids[0]} <" in script
