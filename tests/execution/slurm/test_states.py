"""What the scheduler says of a run's jobs: by squeue, by sacct when that has forgotten, by neither."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import Cluster

from execution.slurm.conftest import Site, need_packages, running, site_of
from nemotron.execution.slurm.host import Answer, Host
from nemotron.execution.slurm.states import JobState, ask, is_alive, remember, remembered
from nemotron.execution.store import Run

RUN = "20260401-120000-chain-00ff"


class Canned(Host):
    """A host that says what a test has it say."""

    answer: Answer

    def run(self, script: str) -> Answer:
        return self.answer


def states(output: str, tmp_path: Path, code: int = 0, errors: str = "") -> dict[str, JobState]:
    host = Canned()
    object.__setattr__(host, "answer", Answer(code, output, errors))
    return ask(host, Run(tmp_path / RUN))


def test_the_newest_job_of_a_name_counts_and_squeue_before_sacct(tmp_path: Path) -> None:
    found = states(
        f"Welcome!\n@nemotron\n12|RUNNING|None|nmt-{RUN}-a\n7|FAILED|None|nmt-{RUN}-a\n9|PENDING|Dependency|nmt-{RUN}-b-c\n"
        f"12|PENDING|0:0|nmt-{RUN}-a\n5|CANCELLED by 0|0:15|nmt-{RUN}-gone\n1|RUNNING|None|nmt-other\n",
        tmp_path,
    )
    assert {step: (job.id, job.state, job.is_alive) for step, job in found.items()} == {
        "a": (12, "RUNNING", True),
        "b-c": (9, "PENDING", True),
        "gone": (5, "CANCELLED", False),
    }
    assert is_alive(found)


@pytest.mark.parametrize(
    ("state", "alive"),
    [
        ("COMPLETING", True),
        ("REQUEUE_HOLD", True),
        ("TIMEOUT", False),
        ("NODE_FAIL", False),
        ("PREEMPTED", False),
    ],
)
def test_what_is_over_and_what_is_not(state: str, alive: bool, tmp_path: Path) -> None:
    assert states(f"@nemotron\n1|{state}|None|nmt-{RUN}-a\n", tmp_path)["a"].is_alive is alive


def test_what_was_said_last_is_kept(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert remembered(run) == {}
    said = {"a": JobState(3, "nmt-a", "PENDING", "Priority")}
    remember(run, said)
    assert remembered(run) == said


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A cluster with accounting that forgets what has left the queue after a moment."""
    need_packages()
    yield from running(Cluster(Path(tempfile.mkdtemp(prefix="nmt-")), accounting=True))


@pytest.fixture
def site(cluster: Cluster, project: Path) -> Iterator[Site]:
    yield from site_of(cluster, project)


def test_sacct_knows_what_the_queue_has_forgotten(site: Site) -> None:
    arguments = ("steps", "run", "test/breaks", "how=is_killed", "--run", "far", "--yes")
    assert "NMT501" in site.nemotron(*arguments, code=1) + site.nemotron("runs", "show", "last")
    (folder,) = site.runs()
    site.wait(lambda: "FAILED" in site.cluster.command("sacct", "-n", "-X", "-o", "State"), "accounting")
    # Restarted, with MinJobAge of a second, the controller forgets the job.
    site.cluster.forget_jobs()
    run = Run(folder)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in site.environment.items():
            patch.setenv(name, value)
        assert site.cluster.command("squeue", "-h", "-t", "all") == ""
        assert [(step, job.state) for step, job in ask(Host(), run).items()] == [("test-breaks", "FAILED")]
