"""From what a failed installation printed to what a person can do about it. Pure."""

from __future__ import annotations

import errno
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from nemotron.diagnostic import Diagnostic, Failure, Place, blocked
from nemotron.libraries.commands import CommandFailed

_LAST_LINES = 12


@dataclass(frozen=True)
class Cause:
    """A known way to fail: the code, how its output looks, what it means and what helps."""

    code: str
    looks_like: str
    summary: str
    fix: str


NO_ROOM = Cause(
    "NMT604",
    r"No space left on device|\(os error 28\)|[Dd]isk quota exceeded|\(os error 122\)",
    "there is no room to install the library '{name}'",
    "free some space, or set NEMOTRON_CACHE (and UV_CACHE_DIR) to folders on a larger disk; then: {command}",
)
NOT_WRITABLE = Cause(
    "NMT604",
    r"Permission denied|Read-only file system|\(os error (13|30)\)",
    "the library '{name}' cannot be written where it belongs",
    "set NEMOTRON_CACHE to a folder that you may write; then: {command}",
)
CHANGED_FILE = Cause(
    "NMT606",
    r"[Hh]ash mismatch",
    "a downloaded package is not the file that the lock of '{name}' names",
    "check the package index that uv uses; nothing of it was installed",
)
NO_ANSWER = Cause(
    "NMT603",
    r"error sending request|dns error|Failed to fetch|operation timed out|[Cc]onnection (refused|reset)"
    r"|network was disabled|Network connectivity is disabled",
    "the package index did not answer while the library '{name}' was installed",
    "check the network, or uv's index settings; then: {command}",
)
OTHER = Cause(
    "NMT605",
    "",
    "the library '{name}' could not be installed",
    "see the log; then: {command}",
)
CAUSES = (NO_ROOM, CHANGED_FILE, NO_ANSWER, NOT_WRITABLE, OTHER)

_BY_ERRNO = {
    errno.ENOSPC: NO_ROOM,
    errno.EDQUOT: NO_ROOM,
    errno.EACCES: NOT_WRITABLE,
    errno.EROFS: NOT_WRITABLE,
    errno.ENOTDIR: NOT_WRITABLE,
    errno.EEXIST: NOT_WRITABLE,
}


class NoAnswer(Failure):
    """A package index did not answer: the exit code is that of a service that is down."""

    @property
    def exit_code(self) -> int:
        return 4


def of_command(problem: CommandFailed, name: str, log: Path) -> Failure:
    """What a failed program means: its command, its last lines and the log are in the detail."""
    cause = next(cause for cause in CAUSES if re.search(cause.looks_like, problem.output))
    last = "\n".join(problem.output.splitlines()[-_LAST_LINES:])
    detail = f"{last}\ncommand: {shlex.join(problem.argv)}\nstatus: {problem.status}"
    return _failure(cause, name, detail, log)


def of_system(problem: OSError, name: str, log: Path) -> Failure:
    """What an error of the operating system means, in a step of ours."""
    return _failure(_BY_ERRNO.get(problem.errno or 0, OTHER), name, str(problem), log)


def _failure(cause: Cause, name: str, detail: str, log: Path) -> Failure:
    words = {"name": name, "command": f"nemotron library install {name}"}
    diagnostic: Diagnostic = blocked(
        cause.code,
        cause.summary.format(**words),
        detail=f"{detail}\nlog: {log}",
        where=Place(file=str(log)),
        fix=cause.fix.format(**words),
    )
    return NoAnswer(diagnostic) if cause is NO_ANSWER else Failure(diagnostic)
