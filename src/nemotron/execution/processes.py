"""The processes of an attempt: starting them, knowing them again, ending every one. Reads /proc.

Each carries `NEMOTRON_ATTEMPT=<uuid>` in its environment: torchrun puts its workers into sessions of their
own, so a process group is not enough. A child that was given another environment, or that wrote over its
own (as programs that set their title do), counts by its parent.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from nemotron.faults import boundary

MARK = "NEMOTRON_ATTEMPT"
GRACE_SECONDS = 10.0
_POLL_SECONDS = 0.1


def start(argv: list[str], environment: dict[str, str], folder: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start a job in its own session; what it prints goes to `log`."""
    boundary()
    with open(log, "ab") as stream:
        started = subprocess.Popen(
            argv,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    boundary()
    return started


def marked(attempt: str) -> set[int]:
    """The living processes of this user that carry the attempt's mark, and their descendants."""
    wanted = f"{MARK}={attempt}".encode()
    found: set[int] = set()
    children: dict[int, list[int]] = {}
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
        fields = _stat(pid)
        if not fields or fields[0] == "Z" or pid == os.getpid():
            continue
        children.setdefault(int(fields[1]), []).append(pid)
        if wanted in _environment(pid).split(b"\0"):
            found.add(pid)
    pending = list(found)
    while pending:
        new = [child for child in children.get(pending.pop(), ()) if child not in found]
        found.update(new)
        pending += new
    return {pid for pid in found if _may_signal(pid)}


def end(
    attempt: str,
    process: subprocess.Popen[bytes] | None = None,
    grace: float = GRACE_SECONDS,
    hurry: Callable[[], bool] = lambda: False,
) -> None:
    """End an attempt: TERM, `grace` seconds, then KILL until no process of it is left.

    TERM goes to the first process, which ends the others; once that is gone, to those that are left.
    The grace ends at once when `hurry` says so.
    """
    deadline = time.monotonic() + grace
    asked: set[int] = set()
    known: dict[int, str] = {}
    while (left := _left(attempt, process, known)) and time.monotonic() < deadline and not hurry():
        to_ask = {process.pid} if process is not None and process.pid in left else left
        for pid in to_ask - asked:
            _signal(pid, signal.SIGTERM)
        asked |= to_ask
        time.sleep(_POLL_SECONDS)
    while left := _left(attempt, process, known):
        for pid in left:
            _signal(pid, signal.SIGKILL)
        time.sleep(_POLL_SECONDS)


def start_time(pid: int) -> str | None:
    """When a process started, in clock ticks since boot: with the boot id, what a pid alone cannot say.

    None when it is gone; one that has ended and only waits for its parent to ask is gone.
    """
    fields = _stat(pid)
    return fields[19] if fields and fields[0] != "Z" else None


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()


def out_of_memory_kills() -> int | None:
    """How many processes the kernel has killed for memory since boot; None where it does not say."""
    try:
        for line in Path("/proc/vmstat").read_text(encoding="utf-8").splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    except OSError:
        pass
    return None


def _left(attempt: str, process: subprocess.Popen[bytes] | None, known: dict[int, str]) -> set[int]:
    """Whoever is still there of those that were ever found, which `known` remembers by their start times.

    A child that was known by its parent is not found any more once the parent is gone.
    """
    running = {process.pid} if process is not None and process.poll() is None else set()
    for pid in running | marked(attempt):
        if pid not in known and (started := start_time(pid)) is not None:
            known[pid] = started
    return {pid for pid, started in known.items() if start_time(pid) == started}


def _may_signal(pid: int) -> bool:
    """Whether the process is this user's: a set-user-ID program, say, that a job started is not."""
    try:
        return os.geteuid() in (0, os.stat(f"/proc/{pid}").st_uid)
    except OSError:
        return False


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; the name before it may hold anything. Empty if gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
