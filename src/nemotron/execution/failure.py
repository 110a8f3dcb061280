"""Why a job failed: its own error, what the kernel says, the known errors found in its log. Reads logs."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from nemotron.catalog.catalog import Step
from nemotron.catalog.manifest import KnownError, Table
from nemotron.catalog.toml_model import read_toml
from nemotron.catalog.types import Types
from nemotron.diagnostic import Diagnostic, Place, error
from nemotron.execution.store import Attempt, read_json

_READ_BYTES = 4 << 20
_KILLED = re.compile(r"Signal 9 \(SIGKILL\) received|exitcode\s*:\s*-9\b")


class OfStep(Protocol):
    """The step that failed, and the types of its catalog; a request is one."""

    @property
    def step(self) -> Step: ...

    @property
    def types(self) -> Types: ...


class ErrorsFile(Table):
    """`errors.toml` of a catalog: failures that any job can meet."""

    errors: tuple[KnownError, ...] = ()


@dataclass(frozen=True)
class Recovery:
    """A known error that was found in the log, the line that shows it, and how to recover."""

    id: str
    line: int
    text: str
    recovery: str


def explain(
    request: OfStep, attempt: Attempt, exit_code: int, *, memory_kills: int
) -> tuple[Diagnostic, list[Recovery]]:
    """What went wrong, as a diagnostic, and the recovery of every known error in the log."""
    skipped, log = _read_log(attempt.log)
    return _diagnostic(attempt, exit_code, log, memory_kills), list(_recoveries(request, skipped, log))


def _recoveries(request: OfStep, skipped: int, log: str) -> Iterator[Recovery]:
    """Every known error of the step, and of any job, that the log shows; it begins after `skipped` lines."""
    shown = log.replace("\r", "\n")  # a progress bar's redrawings are no lines, but `^` must match there
    for entry in (*request.step.manifest.errors, *_common(request)):
        if match := re.search(entry.match, shown, re.MULTILINE):
            text = shown[shown.rfind("\n", 0, match.start()) + 1 :].split("\n", 1)[0].strip()
            line = skipped + log.count("\n", 0, match.start()) + 1
            yield Recovery(entry.id, line, text[:200], entry.recovery)


def _read_log(log: Path) -> tuple[int, str]:
    """How many lines come before the last 4 MiB of a log, and these as text."""
    try:
        with open(log, "rb") as stream:
            before = max(0, stream.seek(0, 2) - _READ_BYTES)
            stream.seek(0)
            skipped = sum(stream.read(min(_READ_BYTES, before - at)).count(b"\n") for at in _blocks(before))
            return skipped, stream.read().decode("utf-8", errors="replace")
    except OSError:
        return 0, ""


def _blocks(size: int) -> range:
    return range(0, size, _READ_BYTES)


def _diagnostic(attempt: Attempt, exit_code: int, log: str, memory_kills: int) -> Diagnostic:
    told = read_json(attempt.error)
    if isinstance(told, dict) and "summary" in told:
        where = Place(told["file"], told.get("line"), 1) if told.get("file") else None
        return error(told.get("code", "NMT801"), told["summary"], where=where, fix=told.get("fix", ""))
    if exit_code in (-signal.SIGKILL, 128 + signal.SIGKILL) or _KILLED.search(log):
        because = (
            "the kernel reports that it ran out of memory"
            if memory_kills
            else "most often for lack of memory"
        )
        return error(
            "NMT501",
            f"the job was killed: {because}",
            where=Place(str(attempt.log)),
            fix="lower the batch size or the number of workers, or use a machine with more memory",
        )
    if exit_code == 0:
        return error(
            "NMT802",
            "the job ended without saying what it made",
            where=Place(str(attempt.log)),
            detail="it exited with 0, but there is no whole outputs.json",
        )
    how = f"ended by signal {-exit_code}" if exit_code < 0 else f"failed with exit code {exit_code}"
    return error("NMT801", f"the job {how}", detail=_last_error(log), where=Place(str(attempt.log)))


def _last_error(log: str) -> str:
    """The last line of the log that names an exception of the job, not of the launcher around it."""
    lines = [line.strip() for line in log.splitlines()]
    named = [
        x for x in lines if re.search(r"^(?:\[rank\d+\]:\s*)?[\w.]*(?:Error|Exception|Interrupt)\b.*", x)
    ]
    own = [x for x in named if "ChildFailedError" not in x]
    return (own or named or [""])[-1][:300]


def _common(request: OfStep) -> tuple[KnownError, ...]:
    return _read_common(request.types.source.with_name("errors.toml"))


@lru_cache(maxsize=4)
def _read_common(file: Path) -> tuple[KnownError, ...]:
    return read_toml(file, ErrorsFile).errors if file.is_file() else ()
