"""Faults for tests: at the n-th boundary that a process passes, it is killed, or its disk is full.

A boundary is a point before or after a write, a rename, a lock or the start of a process: where a machine may
die. `NEMOTRON_FAULT=kill:12` kills the process at its twelfth, `full:12` raises ENOSPC there. Without the
variable a boundary only counts. For every package; standard library only.
"""

from __future__ import annotations

import errno
import os
import signal

_passed = 0


def boundary() -> None:
    """Pass one boundary."""
    global _passed
    _passed += 1
    kind, _, number = os.environ.get("NEMOTRON_FAULT", "").partition(":")
    if number != str(_passed):
        return
    if kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "full":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def passed() -> int:
    """How many boundaries this process has passed."""
    return _passed


def restart() -> None:
    """Count anew, as a forked process that stands for a fresh one does."""
    global _passed
    _passed = 0
