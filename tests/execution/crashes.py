"""A pipeline of light steps, runners of it that are forked, and what must hold after one was killed.

The runner is a real process, forked from one that has imported everything.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nemotron import faults
from nemotron.artifacts.record import is_complete, read_record
from nemotron.catalog.catalog import Catalog, default_catalog
from nemotron.execution import processes
from nemotron.execution.lock import holder_of
from nemotron.execution.pipeline_runner import run_pipeline
from nemotron.execution.store import Store, read_json
from nemotron.planning.pipeline import read_pipeline

CHAIN = Path(__file__).resolve().parents[1] / "catalogs" / "chain"
PIPELINE = """
version: 1
want: training_jsonl
have:
  chat: {type: training_jsonl, path: chat.jsonl}
steps:
  first: {step: chain/copy, inputs: {training_jsonl: chat}}
  second: {step: chain/copy, inputs: {training_jsonl: first}}
  other: {step: chain/copy, inputs: {training_jsonl: chat}, set: {output: named}}
"""
STEPS = ("first", "second", "other")


class Silent:
    """Events that nobody hears."""

    def begins(self, *_: Any) -> Silent:
        return self

    def __getattr__(self, _: str) -> Any:
        return lambda *_, **__: None


@dataclass
class Project:
    """A folder with a pipeline of three light steps."""

    folder: Path

    @property
    def store(self) -> Store:
        return Store(self.folder / ".nemotron")

    @property
    def log(self) -> Path:
        return self.folder / "chain.log"

    def starts(self) -> Counter[str]:
        lines = self.log.read_text(encoding="utf-8").split("\n") if self.log.exists() else []
        return Counter(line.split()[1] for line in lines if line.startswith("start "))

    def finished(self) -> set[str]:
        """The steps that are recorded as done."""
        found = self.store.runs.glob("*/*/*/result.json")
        return {f.parent.parent.name for f in found if (read_json(f) or {}).get("status") == "done"}

    def marks(self) -> list[str]:
        told = (read_json(f) for f in self.store.runs.glob("*/*/*/command.json"))
        return [t["attempt"] for t in told if isinstance(t, dict) and "attempt" in t]

    def start(self, fault: str = "") -> int:
        """Fork a runner; its pid."""
        pid = os.fork()
        if pid:
            return pid
        code = 99
        try:
            code = self._run(fault)
        finally:
            os._exit(code)

    def _run(self, fault: str) -> int:
        os.chdir(self.folder)
        os.environ |= {"CHAIN_LOG": str(self.log), "NEMOTRON_FAULT": fault}
        faults.restart()
        catalog = Catalog([*default_catalog().roots, CHAIN])
        try:
            result = run_pipeline(read_pipeline(Path("p.yaml"), catalog), catalog, self.store, Silent())
        except OSError:
            return 98
        (self.folder / "passed").write_text(str(faults.passed()), encoding="utf-8")
        return result.exit_code

    def run(self, fault: str = "") -> int:
        """Fork a runner and wait: its exit code, or minus the signal that ended it."""
        _, status = os.waitpid(self.start(fault), 0)
        return os.waitstatus_to_exitcode(status)


def a_project(folder: Path) -> Project:
    folder.mkdir(parents=True)
    (folder / "chat.jsonl").write_text(
        '{"messages": [{"role": "user", "content": "hi"}]}\n' * 50, encoding="utf-8"
    )
    (folder / "p.yaml").write_text(PIPELINE, encoding="utf-8")
    return Project(folder)


def assert_recovers(project: Project) -> None:
    """Run again without a fault; everything that must hold then."""
    before, starts = project.finished(), project.starts()
    assert project.run() == 0
    again = project.starts()
    assert {name: again[name] for name in before} == {name: starts[name] for name in before}
    assert project.finished() == set(STEPS)
    text = (project.folder / "chat.jsonl").read_text(encoding="utf-8")
    for record_file in project.folder.glob("**/*artifact.json"):
        artifact = record_file.with_name(record_file.name.removesuffix(".artifact.json"))
        record = read_record(artifact)
        assert record is not None
        assert is_complete(artifact, record, verify=True)
        assert artifact.read_text(encoding="utf-8") == text
    assert [mark for mark in project.marks() if processes.marked(mark)] == []
    assert [lock for lock in project.store.locks.glob("[!.]*") if holder_of(lock)] == []
    # Once more: all of it is finished, and nothing starts.
    assert project.run() == 0
    assert project.starts() == again
