"""What a profile of Slurm needs, looked for with programs that stand for Slurm's."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from envs import cluster
from small import failure

from execution.slurm.conftest import Site
from nemotron.execution.env_check import Finding
from nemotron.execution.slurm.env_check import check_cluster, looks_of, script_of

PROGRAMS = {
    "sbatch": "true",
    "sinfo": 'case "$*" in *gpu*) echo "gpu up 1:00" ;; *--version*) echo "slurm 22.05.8" ;; esac',
    "srun": 'echo "  --container-image=IMAGE"',
}


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs that comes first in PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in PROGRAMS.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def found(**keys: Any) -> dict[str, Finding]:
    profile = cluster(**{"host": None, "python": None, **keys})
    return {finding.what: finding for finding in check_cluster(profile)}


def test_everything_that_is_there_is_found(programs: Path, tmp_path: Path) -> None:
    checked = found(
        partition="gpu",
        remote_job_dir=str(tmp_path / "new" / "folder"),
        setup=["true", "A=1"],
        python=sys.executable,
    )
    assert [what for what, each in checked.items() if not each.is_there] == []
    assert list(checked) == [
        "host",
        "sbatch",
        "scheduler",
        "partition gpu",
        "remote_job_dir",
        "setup",
        "python",
    ]
    assert checked["partition gpu"].found == "gpu up 1:00"
    assert checked["python"].found.startswith("Python 3.")
    assert not (tmp_path / "new").exists()


def test_each_thing_that_is_missing_says_what_to_do(programs: Path, tmp_path: Path) -> None:
    (programs / "srun").write_text("#!/bin/sh\necho no such option\n", encoding="utf-8")
    (programs / "sinfo").write_text("#!/bin/sh\necho down >&2; exit 1\n", encoding="utf-8")
    (tmp_path / "file").touch()
    checked = found(partition="gpu,cpu", remote_job_dir=str(tmp_path / "file" / "x"), container_image="image")
    missing = {what: each for what, each in checked.items() if not each.is_there}
    assert list(missing) == [
        "scheduler",
        "partition gpu",
        "partition cpu",
        "remote_job_dir",
        "container plugin",
    ]
    assert missing["scheduler"].found == "down"
    assert all(each.fix for each in missing.values())


def test_a_partition_that_there_is_not_is_missing(programs: Path) -> None:
    checked = found(partition="gpu,no such;partition".replace(" ", "_"))
    assert (checked["partition gpu"].is_there, len(checked)) == (True, 6)
    other = checked["partition no_such;partition"]
    assert (other.is_there, other.found) == (False, "not there")


def test_python_and_libraries_are_looked_for_after_set_up(programs: Path) -> None:
    checked = found(python=sys.executable, libraries=["automodel"], setup=["cd /no/such/folder"])
    assert [checked[what].is_there for what in ("setup", "python", "library automodel")] == [False] * 3
    assert "No such file" in checked["setup"].found
    assert not found(python=sys.executable, libraries=["automodel"])["library automodel"].is_there
    assert found(python=sys.executable, libraries=["automodel"])["python"].is_there


def test_a_container_brings_its_own_python(programs: Path) -> None:
    looks = [look.what for look in looks_of(cluster(container_image="image", libraries=["automodel"]))]
    assert looks == ["sbatch", "scheduler", "remote_job_dir", "container plugin"]
    assert found(container_image="image")["container plugin"].is_there


def test_it_is_one_round_trip_of_one_script() -> None:
    looks = list(looks_of(cluster(setup=["echo 'it'\\''s'"])))
    script = script_of(looks)
    assert script.count("\nlook ") == len(looks)


def test_a_host_that_does_not_answer_ends_it() -> None:
    problem = failure(lambda: list(check_cluster(cluster(host="no-such-host.invalid"))))
    assert problem.code == "NMT650"
    assert "no-such-host.invalid" in problem.detail


def test_a_real_cluster_is_looked_at_over_ssh(site: Site) -> None:
    site.remote.mkdir(exist_ok=True)
    seen = site.nemotron("env", "check", "far")
    assert "failed" not in seen
    assert [line.split()[1] for line in seen.splitlines()] == [
        "host",
        "sbatch",
        "scheduler",
        "partition",
        "remote_job_dir",
        "python",
    ]
    missing = [
        line for line in site.nemotron("env", "check", "nowhere", code=3).splitlines() if "failed" in line
    ]
    assert [line.split()[1:3] for line in missing] == [["partition", "no-such-partition"]]
