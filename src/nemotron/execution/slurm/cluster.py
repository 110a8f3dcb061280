"""Where a run on a cluster is: the host, and the run's folder there. Reads run.json."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from nemotron.execution.slurm.host import Host
from nemotron.execution.store import Run

EXECUTOR = "slurm"


@dataclass(frozen=True)
class Cluster:
    """The host that a run was handed to, and its folder there."""

    host: Host
    folder: PurePosixPath


def is_on_cluster(run: Run) -> bool:
    """Whether the run was handed to a cluster, or was about to be."""
    return "cluster" in run.told()


def cluster_of(run: Run) -> Cluster:
    """Where the run is, by what was written down when it was submitted."""
    told = run.told()
    return Cluster(Host(**told["cluster"]), PurePosixPath(told["remote"]))
