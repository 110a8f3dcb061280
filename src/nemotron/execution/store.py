"""The run store: plain files under `.nemotron/`. Every write is whole or not there.

.nemotron/runs/<run>/{pipeline.yaml, run.json, status.json, report.html}
.nemotron/runs/<run>/<step>/<attempt>/{config.yaml, command.json, log, progress.jsonl,
                                       outputs.json, error.json, result.json}
.nemotron/artifacts/<step>-<key[:12]>/
.nemotron/locks/<step>-<key[:12]>
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import gethostname
from typing import Any

from nemotron.faults import boundary
from nemotron.files import project_root, write_atomic

# Where an attempt on a cluster keeps copies of the records of what it made.
RECORDS = "records"


def slug(step_id: str) -> str:
    """A step's id as part of a file name."""
    return step_id.replace("/", "-")


@dataclass(frozen=True)
class Attempt:
    """One try at one step of one run, and the files that tell its story."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def command(self) -> Path:
        return self.folder / "command.json"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def progress(self) -> Path:
        return self.folder / "progress.jsonl"

    @property
    def outputs(self) -> Path:
        return self.folder / "outputs.json"

    @property
    def error(self) -> Path:
        return self.folder / "error.json"

    @property
    def result(self) -> Path:
        return self.folder / "result.json"

    @property
    def run_id(self) -> str:
        return self.folder.parent.parent.name

    @property
    def name(self) -> str:
        return self.folder.name


@dataclass(frozen=True)
class Run:
    """One run: a pipeline and the attempts at its steps."""

    folder: Path

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def pipeline(self) -> Path:
        return self.folder / "pipeline.yaml"

    def told(self) -> dict[str, Any]:
        """run.json: what the run is called, where and with what it was started."""
        told = read_json(self.folder / "run.json")
        return told if isinstance(told, dict) else {}

    def attempts(self, step_name: str | None = None) -> list[Attempt]:
        """The attempts at one step of the run, or at all of them, each step's newest first."""
        steps = [self.folder / slug(step_name)] if step_name is not None else sorted(self.folder.iterdir())
        found = [path for step in steps if step.is_dir() for path in step.iterdir() if path.name.isdigit()]
        found.sort(key=lambda path: int(path.name), reverse=True)
        return [Attempt(path) for path in found]

    def new_attempt(self, step_name: str) -> Attempt:
        """A fresh folder for the next try at a step."""
        steps = self.folder / slug(step_name)
        steps.mkdir(exist_ok=True)
        number = 1 + max((int(p.name) for p in steps.iterdir() if p.name.isdigit()), default=0)
        folder = steps / str(number)
        folder.mkdir()
        return Attempt(folder)


class Store:
    """The runs and artifacts of one project."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.runs = root / "runs"
        self.artifacts = root / "artifacts"
        self.locks = root / "locks"

    @classmethod
    def of_project(cls) -> Store:
        """The store of the project that the working directory is in."""
        return cls(project_root() / ".nemotron")

    def new_run(self, name: str, pipeline: str, **told: Any) -> Run:
        """A new run's folder, with the pipeline that it runs, and what else is told of it."""
        self.runs.mkdir(parents=True, exist_ok=True)
        ignore = self.root / ".gitignore"
        if not ignore.exists():
            write_atomic(ignore, "*\n")
        folder = _new_folder(self.runs, slug(name))
        run = Run(folder)
        write_json(folder / "run.json", {"name": name, "cwd": os.getcwd(), "host": gethostname(), **told})
        write_atomic(run.pipeline, pipeline)  # last: run.json says where its paths count from
        return run

    def all_runs(self) -> list[Run]:
        """Every run, the newest first."""
        folders = [path for path in self.runs.iterdir() if path.is_dir()] if self.runs.is_dir() else []
        return [Run(folder) for folder in sorted(folders, key=lambda f: _run_age(f.name), reverse=True)]

    def artifact_folder(self, step_id: str, key: str) -> Path:
        return self.artifacts / f"{slug(step_id)}-{key[:12]}"

    def lock_file(self, step_id: str, key: str) -> Path:
        return self.locks / f"{slug(step_id)}-{key[:12]}"

    def output_lock_file(self, folder: Path) -> Path:
        """The lock of an output folder that a user named, whatever step writes there."""
        return self.locks / f"output-{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]}"

    def run_lock_file(self, run: Run) -> Path:
        """The lock of a pipeline's run: who holds it is running the pipeline."""
        return self.locks / f"run-{run.id}"

    def attempts(self, step_id: str | None = None) -> Iterator[tuple[Attempt, dict[str, Any]]]:
        """Every attempt (at one step, or at any) with its command.json, the newest first.

        A step of a pipeline has a folder by its name there, so what it is stands in command.json.
        """
        found = [Attempt(p.parent) for p in self.runs.glob("*/*/*/command.json") if p.parent.name.isdigit()]
        for attempt in sorted(found, key=_age, reverse=True):
            command = read_json(attempt.command)
            if isinstance(command, dict) and step_id in (None, _step_of(command)):
                yield attempt, command


def _new_folder(runs: Path, name: str) -> Path:
    """A run's folder: DATE-TIME-NAME-xxxx, where xxxx is the fraction of the second in 65536ths.

    Later than every run that is there, even if the clock was set back: their order is told by their names.
    """
    while True:
        newest = max((_run_age(path.name) for path in runs.iterdir()), default=("", ""))
        when, fraction = max(_now(), _just_after(*newest))
        folder = runs / f"{when}-{name}-{fraction}"
        try:
            boundary()
            folder.mkdir()
        except FileExistsError:
            continue
        boundary()
        return folder


def _now() -> tuple[str, str]:
    now = datetime.now(UTC)
    return f"{now:%Y%m%d-%H%M%S}", f"{now.microsecond * 65536 // 1_000_000:04x}"


def _just_after(when: str, fraction: str) -> tuple[str, str]:
    """One 65536th of a second later; as early as can be for what is no run's time."""
    try:
        moment = datetime.strptime(when, "%Y%m%d-%H%M%S")
        ticks = int(fraction, 16) + 1
    except ValueError:
        return "", ""
    return f"{moment + timedelta(seconds=ticks // 65536):%Y%m%d-%H%M%S}", f"{ticks % 65536:04x}"


def _step_of(command: dict[str, Any]) -> Any:
    """The id of the step that an attempt was at."""
    ingredients = command.get("ingredients")
    return command.get("step") or (ingredients.get("step") if isinstance(ingredients, dict) else None)


def _age(attempt: Attempt) -> tuple[str, str, int]:
    """Sorts attempts by when they were made, whatever their steps are called."""
    return *_run_age(attempt.run_id), int(attempt.name)


def _run_age(run_id: str) -> tuple[str, str]:
    return run_id[:15], run_id[-4:]


def read_json(path: Path) -> Any:
    """The content of a JSON file; None when it is absent or torn."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def write_json(path: Path, value: Any) -> None:
    write_atomic(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")
