"""A cluster for the tests of a file, a project that has profiles of it, and the command line in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from catalogs.helpers import FAKE, bytecode, write_chat
from catalogs.pipelines import LINKS
from cluster import Cluster
from cluster_files import missing_packages

__all__ = ["bytecode"]

DEADLINE_SECONDS = 240.0
_PROFILES = """\
[here]
executor = "slurm"
remote_job_dir = "{remote}"
partition = "batch"
time = "00:10:00"
gpus_per_node = 8

[far]
extends = "here"
host = "cluster"
python = "{python}"
mounts = ["{project}:{project}"]

[nowhere]
extends = "far"
partition = "no-such-partition"

[spot]
extends = "here"
partition = "spot"
sbatch = ["--signal=B:TERM@5"]

[secret]
extends = "far"
secrets = ["SIGNING_TOKEN"]
"""


def need_packages() -> None:
    """Skip, or on CI fail, where this machine cannot have a cluster."""
    missing = missing_packages()
    if missing and os.environ.get("CI") == "true":
        pytest.fail(f"a cluster of tests needs {' '.join(missing)}: .ci/setup installs them")
    if missing:
        pytest.skip(f"a cluster of tests needs {' '.join(missing)}")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A running cluster without accounting."""
    need_packages()
    yield from running(Cluster(Path(tempfile.mkdtemp(prefix="nmt-"))))


def running(made: Cluster) -> Iterator[Cluster]:
    """Start the cluster, and leave nothing of it."""
    try:
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(made.folder, ignore_errors=True)


@dataclass
class Site:
    """A project with profiles of a cluster. `remote` is the folder that the cluster works in."""

    cluster: Cluster
    project: Path
    remote: Path
    environment: dict[str, str] = field(default_factory=dict)

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        """The command line, as a process that goes on beside the test."""
        return subprocess.Popen(
            [sys.executable, "-m", "nemotron", *arguments],
            cwd=self.project,
            env={**os.environ, **self.environment, **more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def nemotron(self, *arguments: str, code: int = 0, **more: str) -> str:
        """What the command line prints, stdout first; it must end with that code."""
        process = self.start(*arguments, **more)
        stdout, stderr = process.communicate(timeout=180)
        assert process.returncode == code, f"{process.returncode}\n{stdout}\n{stderr}"
        return stdout + stderr

    def status(self, run: str = "last", code: int | None = None) -> dict[str, str]:
        """Step → its status, by `runs status`."""
        process = self.start("runs", "status", run, "--json")
        stdout, stderr = process.communicate(timeout=60)
        assert code is None or process.returncode == code, stdout + stderr
        return {step["name"]: step["status"] for step in json.loads(stdout)["steps"]}

    def wait(self, condition: Callable[[], Any], what: str, every: float = 0.1) -> Any:
        """Poll until the condition holds; what it gave."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            if value := condition():
                return value
            time.sleep(every)
        pytest.fail(f"no {what} within {DEADLINE_SECONDS:.0f} s: {self.cluster.jobs()}\n{self.logs()}")

    def wait_for_empty_queue(self) -> None:
        self.wait(lambda: not self.cluster.jobs(), "empty queue")

    def logs(self) -> str:
        """The end of every log of the cluster's side."""
        files = sorted(self.remote.glob("*/*/*/log"))
        return "\n".join(f"{file}: {file.read_text(errors='replace')[-1500:]}" for file in files)

    def pipeline(self, name: str, **steps: dict[str, Any]) -> str:
        """A pipeline file over the chat records; what it is called."""
        have = {"chat": {"type": "training_jsonl", "path": "chat.jsonl"}}
        whole = {"version": 1, "want": "training_jsonl", "have": have, "steps": steps}
        (self.project / name).write_text(yaml.safe_dump(whole, sort_keys=False), encoding="utf-8")
        return name

    def runs(self) -> list[Path]:
        return sorted((self.project / ".nemotron" / "runs").glob("*"))


@pytest.fixture
def site(cluster: Cluster, project: Path) -> Iterator[Site]:
    """The project and the command line's environment; the queue is empty before and after."""
    yield from site_of(cluster, project)


def site_of(cluster: Cluster, project: Path) -> Iterator[Site]:
    """A site on a cluster."""
    remote = project.parent / "shared"
    text = _PROFILES.format(remote=remote, project=project, python=sys.executable)
    (project / "env.toml").write_text(text, encoding="utf-8")
    write_chat(project / "chat.jsonl", 3)
    environment = {
        "SLURM_CONF": str(cluster.conf),
        "PATH": f"{cluster.bin}:{os.environ['PATH']}",
        "NEMOTRON_STEPS_PATH": f"{FAKE}:{LINKS}",
        "NO_COLOR": "1",
    }
    made = Site(cluster, project, remote, environment)
    yield made
    cluster.command("scancel", "-u", "root")
    made.wait_for_empty_queue()


def repeat(source: str, **settings: Any) -> dict[str, Any]:
    """A step of a pipeline: the light link that copies records."""
    step: dict[str, Any] = {"step": "link/repeat", "inputs": {"training_jsonl": source}}
    return {**step, "set": settings} if settings else step


def join(*sources: str) -> dict[str, Any]:
    """A step of a pipeline: where branches meet again."""
    return {"step": "link/join", "inputs": {"training_jsonl": list(sources)}}
