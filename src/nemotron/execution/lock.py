"""A lock as a file made by `link(2)`: works on shared file systems, and says who holds it.

A dead holder on this host is replaced; a holder on another host is refused, as nobody here can tell
whether it lives. Those who would replace a holder are all on this host, so `flock(2)` keeps them apart.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nemotron.diagnostic import Failure, blocked
from nemotron.execution.processes import boot_id, start_time
from nemotron.faults import boundary


@contextmanager
def hold(file: Path, purpose: str) -> Iterator[None]:
    """Hold the lock while the block runs. Failure NMT806 when a living process has it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    # Not named by the pid: another host, or a container that was here before, has the same ones.
    mine = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    try:
        mine.write_text(json.dumps(this_process()), encoding="utf-8")
        boundary()
        while not _link(mine, file):
            holder = _read(file)
            if holder is not None and may_be_alive(holder):
                raise Failure(_refusal(file, holder, purpose))
            _remove_dead(file)
        boundary()
        try:
            yield
        finally:
            file.unlink(missing_ok=True)
            boundary()
    finally:
        mine.unlink(missing_ok=True)


def _link(source: Path, target: Path) -> bool:
    try:
        os.link(source, target)
    except FileExistsError:
        return False
    return True


def _remove_dead(file: Path) -> None:
    """Remove the lock unless a living process holds it by now; one process at a time looks and removes."""
    with open(file.with_name(".breaking"), "a", encoding="utf-8") as guard:
        with contextlib.suppress(OSError):  # a file system without flock: the window is microseconds
            fcntl.flock(guard, fcntl.LOCK_EX)
        holder = _read(file)
        if holder is not None and not may_be_alive(holder):
            file.unlink(missing_ok=True)


def this_process() -> dict[str, Any]:
    """What this process is known by: a pid counts only with its host, boot and start time."""
    pid = os.getpid()
    return {"host": socket.gethostname(), "boot": boot_id(), "pid": pid, "started": start_time(pid)}


def may_be_alive(holder: dict[str, Any]) -> bool:
    """Whether a process lives; of one on another host nobody here can tell, so it may."""
    if not holder:
        return False
    if is_elsewhere(holder):
        return True
    return holder.get("boot") == boot_id() and start_time(int(holder.get("pid", 0))) == holder.get("started")


def is_elsewhere(holder: dict[str, Any]) -> bool:
    return bool(holder.get("host") != socket.gethostname())


def holder_of(file: Path) -> dict[str, Any] | None:
    """The process that holds a lock and may be alive; None when nobody does."""
    holder = _read(file)
    return holder if holder and may_be_alive(holder) else None


def _read(file: Path) -> dict[str, Any] | None:
    """Who holds the lock; None when there is no lock, empty when the machine died while it was written."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _refusal(file: Path, holder: dict[str, Any], purpose: str) -> Any:
    elsewhere = is_elsewhere(holder)
    fix = (
        f"if that process is gone: rm {file}"
        if elsewhere
        else f"wait for it, or end process {holder.get('pid')}"
    )
    return blocked(
        "NMT806",
        f"another process is already {purpose}",
        detail=f"process {holder.get('pid')} on {holder.get('host')} holds {file}",
        fix=fix,
    )
