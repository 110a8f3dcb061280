"""What a run left on its cluster, and removing it: the run's folder, and artifacts that only it made.

Deletes below the profile's `remote_job_dir`. Who uses an artifact is told by the files of all runs there, of
other projects and people too, that may be read.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from nemotron.execution.slurm.cluster import Cluster, cluster_of
from nemotron.execution.slurm.host import LONG_SECONDS, unanswered
from nemotron.execution.slurm.states import ask, is_alive
from nemotron.execution.store import Run, read_json

_ARTIFACTS = "artifacts"
# What of a run or an artifact names the artifacts that it uses.
_TELLING = ("config.yaml", "command.json", "job.json", "result.json", "artifact.json", "*.artifact.json")
_MARKS = (".replaced-", ".unfinished-")


@dataclass(frozen=True)
class LeftThere:
    """What would be removed on the cluster with a run, and what is kept, each with who uses it."""

    cluster: Cluster
    folder: PurePosixPath
    artifacts: list[PurePosixPath]
    kept: dict[PurePosixPath, str]

    @property
    def removed(self) -> list[PurePosixPath]:
        return [self.folder, *self.artifacts]

    def remove(self) -> None:
        """Remove it. Failure NMT650 (exit code 4) where that did not come to its end; it can be repeated."""
        words = [shlex.quote(str(path)) for path in self.removed]
        words += [f"{shlex.quote(f'{path}{mark}')}*" for path in self.artifacts for mark in _MARKS]
        answer = self.cluster.host.run(f"rm -rf -- {' '.join(words)}\n", LONG_SECONDS)
        if answer.code:
            raise unanswered(self.cluster.host, ["rm", "-rf", "--", str(self.folder)], answer.errors)


def has_jobs(run: Run) -> bool:
    """Whether jobs of the run wait or run, by what the scheduler says now. Failure NMT650, NMT651."""
    return is_alive(ask(cluster_of(run).host, run))


def left_there(run: Run, users: Iterable[tuple[str, str]]) -> LeftThere:
    """What of a run is on its cluster. `users` are texts that may be paths, and who they belong to here.

    Failure NMT650 (exit code 4) where the host does not answer.
    """
    cluster = cluster_of(run)
    root = cluster.folder.parent
    names = sorted(artifacts_of(run, root))
    here = [(who, name) for text, who in users for name in names if f"/{_ARTIFACTS}/{name}" in text]
    kept = _kept(names, [*here, *(_users_there(cluster, run, names) if names else ())])
    removed = [root / _ARTIFACTS / name for name in names if name not in kept]
    return LeftThere(
        cluster, root / run.id, removed, {root / _ARTIFACTS / name: why for name, why in kept.items()}
    )


def artifacts_of(run: Run, root: PurePosixPath) -> set[str]:
    """The folders directly under `root`'s artifacts that the run's attempts wrote to, never a path out."""
    found = set()
    for attempt in run.attempts():
        command = read_json(attempt.command)
        outputs = command.get("outputs") if isinstance(command, dict) else None
        for path in map(PurePosixPath, map(str, (outputs or {}).values())):
            if path.is_relative_to(root / _ARTIFACTS) and path != root / _ARTIFACTS:
                found.add(path.relative_to(root / _ARTIFACTS).parts[0])
    return found - {".."}


def _users_there(cluster: Cluster, run: Run, names: list[str]) -> Iterator[tuple[str, str]]:
    """Who uses each of these artifacts on the cluster: `run X`, or the name of another artifact."""
    root = cluster.folder.parent
    wanted = " ".join(f"-e {shlex.quote(f'{_ARTIFACTS}/{name}')}" for name in names)
    included = " ".join(f"--include={shlex.quote(name)}" for name in _TELLING)
    search = f"grep -rHoF --exclude-dir=code {included} {wanted} . 2>/dev/null | sort -u"
    answer = cluster.host.run(f"cd {shlex.quote(str(root))} && {{ {search}; }}\n", LONG_SECONDS)
    for line in answer.output.splitlines():
        file, _, name = line.rpartition(f":{_ARTIFACTS}/")
        if file.startswith("./"):  # anything else is what a profile script prints
            first, *rest = PurePosixPath(file).parts
            if first != _ARTIFACTS and first != run.id:
                yield f"run {first}", name
            elif first == _ARTIFACTS and rest:
                yield _without_mark(rest[0]), name


def _without_mark(name: str) -> str:
    """The artifact that a folder was moved aside from; the name itself where it was not."""
    for mark in _MARKS:
        name = name.partition(mark)[0]
    return name


def _kept(names: list[str], used: list[tuple[str, str]]) -> dict[str, str]:
    """Those of the artifacts that somebody uses, and why: a run, or an artifact that is not removed."""
    kept: dict[str, str] = {}
    while True:
        found = {
            name: user if user.startswith("run ") else f"{user} was made from it"
            for user, name in used
            if name in names and name not in kept and user != name and (user not in names or user in kept)
        }
        if not found:
            return kept
        kept |= found
