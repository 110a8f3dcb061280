"""Removing a run, and the artifacts that only it made and nobody else took.

Deletes files under .nemotron, and those of a run on a cluster there.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from nemotron.artifacts.digest import RECORD_NAME
from nemotron.artifacts.record import read_record
from nemotron.config.tree import leaves
from nemotron.config.yaml_places import read_yaml
from nemotron.diagnostic import Failure, blocked
from nemotron.execution.asides import asides_of
from nemotron.execution.living import is_running
from nemotron.execution.lock import hold
from nemotron.execution.slurm.cluster import is_on_cluster
from nemotron.execution.slurm.removal import LeftThere, has_jobs, left_there
from nemotron.execution.status import status_file
from nemotron.execution.store import Run, Store, read_json

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Removal:
    """What would be removed with a run; `kept` are artifacts that it made, each with who uses it.

    `there` is the same on the run's cluster; None where it has none, or what is there stays.
    """

    run: Run
    artifacts: list[Path]
    kept: dict[Path, str]
    there: LeftThere | None = None

    @property
    def size(self) -> int:
        """Bytes in all of it."""
        return sum(_size(folder) for folder in (self.run.folder, *self.artifacts))


def removal_of(run: Run, store: Store, *, keep_remote: bool = False) -> Removal:
    """What removing a run would take away; nothing is removed. Failure NMT809 when it is running.

    The cluster of a run is asked, unless what is there stays. Failure NMT650 to NMT652 where it cannot be.
    """
    there = None
    if not is_on_cluster(run):
        is_at_work = is_running(run, store)
    else:
        is_at_work = not keep_remote and _asked(run, has_jobs)
    if is_at_work:
        fix = f"nemotron runs cancel {run.id}"
        raise Failure(blocked("NMT809", f"{run.id} is still running", fix=fix))
    made = sorted(_artifacts_of(run, store))
    asides = {aside: folder for folder in made for aside in asides_of(folder)}
    users = list(_users(run, store))
    if is_on_cluster(run) and not keep_remote:
        there = _asked(run, lambda run: left_there(run, users))
    kept: dict[Path, str] = {}
    # One that is kept was made from others: they are kept with it.
    while (found := _in_use([*made, *asides], kept, users)) is not None:
        kept[found[0]] = found[1]
    removed = [path for path in (*made, *asides) if path not in kept and asides.get(path) not in kept]
    return Removal(run, removed, kept, there)


def _asked(run: Run, question: Callable[[Run], Answer]) -> Answer:
    """What a run's cluster answers; a failure says how to do without."""
    try:
        return question(run)
    except Failure as failure:
        alone = f"`nemotron runs remove {run.id} --keep-remote` removes what is here alone"
        failure.diagnostics[:] = [replace(each, fix=f"{each.fix}; {alone}") for each in failure.diagnostics]
        raise


def remove(removal: Removal, store: Store) -> None:
    """Remove a run and its artifacts, on its cluster first: until that is done, the run is known here.

    Failure NMT806 when another process is at one of them, NMT650 where the cluster does not answer.
    """
    with ExitStack() as locks:
        locks.enter_context(hold(store.run_lock_file(removal.run), f"running {removal.run.id}"))
        for file in sorted(_key_locks(removal.run, store)):
            locks.enter_context(hold(file, "running a step of it"))
        if removal.there is not None:
            removal.there.remove()
        for folder in (*removal.artifacts, removal.run.folder):
            _delete(folder, store)


def _delete(folder: Path, store: Store) -> None:
    """A folder is gone at once, under another name: what is half deleted is never taken for whole."""
    aside = store.root / f"removed-{folder.name}"
    if aside.exists():
        shutil.rmtree(aside)
    if folder.exists():
        os.replace(folder, aside)
        shutil.rmtree(aside)


def _artifacts_of(run: Run, store: Store) -> set[Path]:
    """The folders directly under .nemotron/artifacts that the run's attempts wrote to."""
    found = set()
    for text in _outputs(run):
        path = Path(text)
        if path.is_relative_to(store.artifacts) and path != store.artifacts:
            folder = store.artifacts / path.relative_to(store.artifacts).parts[0]
            if folder.is_dir() and not folder.is_symlink():
                found.add(folder)
    return found


def _outputs(run: Run) -> Iterator[str]:
    for command in _commands(run):
        yield from (str(folder) for folder in (command.get("outputs") or {}).values())


def _commands(run: Run) -> Iterator[dict[str, Any]]:
    for attempt in run.attempts():
        command = read_json(attempt.command)
        if isinstance(command, dict):
            yield command


def _key_locks(run: Run, store: Store) -> set[Path]:
    return {
        store.lock_file(str(command["step"]), str(command["key"]))
        for command in _commands(run)
        if "step" in command and "key" in command
    }


def _users(removed: Run, store: Store) -> Iterator[tuple[str, str]]:
    """Every text in the other runs' files that may be a path, and who it belongs to."""
    for run in store.all_runs():
        if run.folder != removed.folder:
            yield from ((text, f"run {run.id}") for text in _texts(run))


def _texts(run: Run) -> Iterator[str]:
    """Paths that a run names: outputs, whatever is in its jobs' configs, and what it skipped with."""
    yield from _outputs(run)
    for file in (run.pipeline, *(attempt.config for attempt in run.attempts())):
        try:
            tree = read_yaml(file, quick=True).tree
        except Failure:
            continue
        yield from (value for _, value in leaves(tree) if isinstance(value, str))
    told = read_json(status_file(run))
    for entry in told.get("steps", []) if isinstance(told, dict) else []:
        yield from (str(path) for path in (entry.get("artifacts") or {}).values())


def _in_use(made: list[Path], kept: dict[Path, str], users: list[tuple[str, str]]) -> tuple[Path, str] | None:
    """An artifact that is not kept yet and must be, and why."""
    needed = [
        *users,
        *((path, f"{folder.name} was made from it") for folder in kept for path in _from(folder)),
    ]
    for folder in made:
        for text, user in needed if folder not in kept else ():
            if os.path.isabs(text) and _is_in(text, folder):
                return folder, user
    return None


def _is_in(text: str, folder: Path) -> bool:
    return any(Path(path).is_relative_to(folder) for path in (text, os.path.realpath(text)))


def _from(folder: Path) -> Iterator[str]:
    """The paths that the artifacts in a folder were made from, as their records say."""
    for file in folder.rglob(f"*{RECORD_NAME}"):
        artifact = (
            file.parent if file.name == RECORD_NAME else file.with_name(file.name[: -len(RECORD_NAME) - 1])
        )
        record = read_record(artifact)
        yield from (entry.path for entry in (record.inputs if record else ()))


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())
