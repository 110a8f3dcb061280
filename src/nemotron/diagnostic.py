"""What is wrong, where, and what to do about it: the one way in which any part reports a problem.

Every package may import this module; it imports only the standard library. The rules that find
problems, the table of codes and the rendering are in `nemotron.checking`.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """How much a diagnostic weighs, worst first."""

    ERROR = "error"
    BLOCKED = "blocked"
    WARNING = "warning"
    NOTE = "note"


SEVERITIES = tuple(Severity)


@dataclass(frozen=True)
class Place:
    """Where something stands: a file (line and column count from 1), or an argument of the command line.

    `length` is how many characters the caret underlines.
    """

    file: str | None = None
    line: int | None = None
    column: int | None = None
    length: int = 1
    argument: str | None = None

    def __str__(self) -> str:
        if self.argument is not None:
            return f"argument '{self.argument}'"
        parts = [self.file or "?", self.line, self.column if self.line else None]
        return ":".join(str(part) for part in parts if part is not None)


@dataclass(frozen=True)
class Related:
    """Another place that takes part in a problem, and what it has to do with it."""

    place: Place
    note: str


@dataclass(frozen=True)
class Diagnostic:
    """One problem. `fix` is the exact edit or command that ends it; `checking/codes.toml` has the codes."""

    code: str
    severity: Severity
    summary: str
    detail: str = ""
    where: Place | None = None
    related: tuple[Related, ...] = ()
    fix: str = ""

    def sort_key(self) -> tuple[Any, ...]:
        """Worst first, then by place, so that the same problems always print in the same order."""
        where = self.where or Place()
        return (
            SEVERITIES.index(self.severity),
            where.file or "",
            where.line or 0,
            where.column or 0,
            where.argument or "",
            self.code,
            self.summary,
        )


class Failure(Exception):
    """A request that cannot go on: carries every diagnostic that was found until then."""

    def __init__(self, diagnostics: Diagnostic | Iterable[Diagnostic]) -> None:
        self.diagnostics = [diagnostics] if isinstance(diagnostics, Diagnostic) else list(diagnostics)
        super().__init__("; ".join(f"{d.code}: {d.summary}" for d in self.diagnostics))

    @property
    def exit_code(self) -> int:
        return exit_code(self.diagnostics)


def exit_code(diagnostics: Iterable[Diagnostic], *, strict: bool = False) -> int:
    """2 with any error (or warning, when strict), else 3 with anything blocked, else 0."""
    found = {d.severity for d in diagnostics}
    if Severity.ERROR in found or (strict and Severity.WARNING in found):
        return 2
    return 3 if Severity.BLOCKED in found else 0


def error(code: str, summary: str, **details: Any) -> Diagnostic:
    """A diagnostic of severity *error*; `details` are the other fields of Diagnostic."""
    return Diagnostic(code, Severity.ERROR, summary, **details)


def blocked(code: str, summary: str, **details: Any) -> Diagnostic:
    """A diagnostic of severity *blocked*: nothing is wrong, but something is missing."""
    return Diagnostic(code, Severity.BLOCKED, summary, **details)


def warning(code: str, summary: str, **details: Any) -> Diagnostic:
    """A diagnostic of severity *warning*."""
    return Diagnostic(code, Severity.WARNING, summary, **details)


def note(code: str, summary: str, **details: Any) -> Diagnostic:
    """A diagnostic of severity *note*."""
    return Diagnostic(code, Severity.NOTE, summary, **details)


_NO_SPACE = ("NMT640", "the disk is full", "free some space (`df -h`), then run it again")
_NO_WRITING = ("NMT641", "this may not be read or written", "correct its permissions, or work elsewhere")
_SURROUNDINGS = {
    errno.ENOSPC: _NO_SPACE,
    errno.EDQUOT: _NO_SPACE,
    errno.EACCES: _NO_WRITING,
    errno.EPERM: _NO_WRITING,
    errno.EROFS: _NO_WRITING,
    errno.EIO: ("NMT641", "the file system could not read or write a file", "look at the disk or the mount"),
}


def of_os_error(problem: OSError) -> Diagnostic | None:
    """What a person can mend of what the system refused: a full disk, a folder that is read-only."""
    if problem.errno not in _SURROUNDINGS:
        return None
    code, what, fix = _SURROUNDINGS[problem.errno]
    return blocked(code, f"{what}: {problem.filename}" if problem.filename else what, fix=fix)
