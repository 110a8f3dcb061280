"""What one step of a run came to, by the files of its attempt. Reads the run store."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nemotron.artifacts.record import Artifact, from_json
from nemotron.execution.store import RECORDS, Attempt, Run, read_json
from nemotron.files import read_end

_TAIL_BYTES = 1 << 14


@dataclass(frozen=True)
class StepReport:
    """A step of a run: waiting, running, done, skipped, failed, interrupted or not run; and why."""

    name: str
    step: str
    status: str
    why: str = ""
    seconds: float = 0.0
    artifacts: dict[str, str] = field(default_factory=dict)
    diagnostics: list[dict[str, Any]] = field(default_factory=list)
    recoveries: list[dict[str, Any]] = field(default_factory=list)
    progress: dict[str, Any] | None = None
    attempt: Attempt | None = None


def of_result(name: str, step: str, attempt: Attempt) -> StepReport:
    """How an attempt ended, as its result says."""
    result = read_json(attempt.result)
    result = result if isinstance(result, dict) else {}
    found = [entry for entry in result.get("diagnostics", []) if isinstance(entry, dict)]
    return StepReport(
        name,
        step,
        str(result.get("status", "interrupted")),
        str(found[0].get("summary", "")) if found else "",
        float(result.get("seconds") or 0.0),
        {made["port"]: made["path"] for made in result.get("outputs", [])},
        found,
        list(result.get("recoveries") or []),
        attempt=attempt,
    )


@dataclass(frozen=True)
class AtHome:
    """What came home of an artifact that lies on a cluster: its record, and the folder of its scores."""

    record: Artifact
    scores: Path | None


def artifacts_at_home(run: Run) -> dict[str, AtHome]:
    """Path → what came home of it, of everything that the jobs of a run on a cluster made."""
    found: dict[str, AtHome] = {}
    for attempt in run.attempts():
        result = read_json(attempt.result)
        for made in result.get("outputs", []) if isinstance(result, dict) else []:
            copy = attempt.folder / RECORDS / str(made["port"])
            told = read_json(copy.with_name(f"{copy.name}.json"))
            if isinstance(told, dict):
                scores = copy if copy.is_dir() else None
                found.setdefault(str(made["path"]), AtHome(from_json(told), scores))
    return found


def last_line(attempt: Attempt) -> dict[str, Any] | None:
    """The newest whole line of a job's progress."""
    for line in reversed(read_end(attempt.progress, _TAIL_BYTES).split(b"\n")):
        try:
            told = json.loads(line)
        except ValueError:
            continue
        if isinstance(told, dict):
            return told
    return None


def modified(path: Path) -> float:
    """When a file was written last; 0 where it is not there."""
    try:
        return float(path.stat().st_mtime)
    except OSError:
        return 0.0
