"""The run store: plain files under `.nemotron/`. Every write is whole or not there.

.nemotron/runs/<run>/pipeline.yaml
.nemotron/runs/<run>/<step>/<attempt>/{config.yaml, command.json, log, progress.jsonl,
                                       outputs.json, error.json, result.json}
.nemotron/artifacts/<step>-<key[:12]>/
.nemotron/locks/<step>-<key[:12]>
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nemotron.files import project_root, write_atomic


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

    def new_run(self, name: str, pipeline: str) -> Run:
        """A new run's folder, with the pipeline that it runs."""
        self.runs.mkdir(parents=True, exist_ok=True)
        ignore = self.root / ".gitignore"
        if not ignore.exists():
            write_atomic(ignore, "*\n")
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        folder = self.runs / f"{stamp}-{slug(name)}-{secrets.token_hex(2)}"
        folder.mkdir()
        write_atomic(folder / "pipeline.yaml", pipeline)
        return Run(folder)

    def artifact_folder(self, step_id: str, key: str) -> Path:
        return self.artifacts / f"{slug(step_id)}-{key[:12]}"

    def lock_file(self, step_id: str, key: str) -> Path:
        return self.locks / f"{slug(step_id)}-{key[:12]}"

    def attempts(self, step_id: str) -> Iterator[tuple[Attempt, dict[str, Any]]]:
        """Every attempt at a step with its command.json, the newest first."""
        folders = [p.parent for p in self.runs.glob(f"*/{slug(step_id)}/*/command.json")]
        for folder in sorted(folders, key=lambda f: (f.parent.parent.name, int(f.name)), reverse=True):
            attempt = Attempt(folder)
            command = read_json(attempt.command)
            if isinstance(command, dict):
                yield attempt, command


def read_json(path: Path) -> Any:
    """The content of a JSON file; None when it is absent or torn."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def write_json(path: Path, value: Any) -> None:
    write_atomic(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")
