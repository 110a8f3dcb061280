"""The processes of an attempt: starting them, knowing them again, ending every one. Reads /proc.

Each carries `NEMOTRON_ATTEMPT=<uuid>` in its environment: torchrun puts its workers into sessions of their
own, so a process group is not enough.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

MARK = "NEMOTRON_ATTEMPT"
GRACE_SECONDS = 10.0
_POLL_SECONDS = 0.1


def start(argv: list[str], environment: dict[str, str], folder: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start a job in its own session; what it prints goes to `log`."""
    with open(log, "ab") as stream:
        return subprocess.Popen(
            argv,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def marked(attempt: str) -> list[int]:
    """The living processes of this user that carry the attempt's mark."""
    wanted = f"{MARK}={attempt}".encode()
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                environment = Path(entry.path, "environ").read_bytes()
            except OSError:
                continue
            if wanted in environment.split(b"\0") and not _is_zombie(int(entry.name)):
                found.append(int(entry.name))
    return found


def end(attempt: str, process: subprocess.Popen[bytes] | None = None, grace: float = GRACE_SECONDS) -> None:
    """End an attempt: TERM to its first process, a time of grace, then KILL until no marked one is left."""
    if process is not None and process.poll() is None:
        _signal(process.pid, signal.SIGTERM)
    else:
        for pid in marked(attempt):
            _signal(pid, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while time.monotonic() < deadline and _any_left(attempt, process):
        time.sleep(_POLL_SECONDS)
    while left := marked(attempt):
        for pid in left:
            _signal(pid, signal.SIGKILL)
        if process is not None:
            process.poll()
        time.sleep(_POLL_SECONDS)
    if process is not None:
        process.wait()


def start_time(pid: int) -> str | None:
    """When a process started, in clock ticks since boot: with the boot id, what a pid alone cannot say."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()[19]


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


def _any_left(attempt: str, process: subprocess.Popen[bytes] | None) -> bool:
    running = process is not None and process.poll() is None
    return running or bool(marked(attempt))


def _is_zombie(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True
    return text.rpartition(")")[2].split()[0] == "Z"


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
