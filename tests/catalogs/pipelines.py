"""What tests of pipelines share: a catalog whose steps can be chained, and a pipeline with two branches."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from catalogs.helpers import FAKE, Recorder, write_chat
from nemotron.catalog.catalog import default_catalog
from nemotron.execution.pipeline_result import PipelineResult, StepResult, Wanted, selected
from nemotron.execution.pipeline_runner import run_pipeline
from nemotron.execution.store import Store
from nemotron.planning.pipeline import PipelineStep, read_pipeline

LINKS = Path(__file__).resolve().parent / "links"


@dataclass
class Branches:
    """A pipeline file: `first` → `left` → `left_count`, and `first` → `right`.

    `change` sets a key of a step and writes the file again.
    """

    file: Path
    settings: dict[str, dict[str, object]] = field(default_factory=dict)

    def change(self, step: str, **settings: object) -> None:
        self.settings.setdefault(step, {}).update(settings)
        self.write()

    def write(self, **more: tuple[str, str, dict[str, object]]) -> None:
        """Write the file; `more` steps, as (id, what they take, settings), come last."""
        steps = {
            name: {
                "step": identity,
                "inputs": {"training_jsonl": source},
                **({"set": self.settings[name]} if name in self.settings else {}),
            }
            for name, identity, source in (
                ("left_count", "test/word_count", "left"),
                ("first", "link/repeat", "chat"),
                ("left", "link/repeat", "first"),
                ("right", "test/word_count", "first"),
            )
        }
        steps |= {
            name: {"step": identity, "inputs": {"training_jsonl": source}, "set": settings}
            for name, (identity, source, settings) in more.items()
        }
        have = {"chat": {"type": "training_jsonl", "path": "chat.jsonl"}}
        whole = {"version": 1, "want": "eval_results", "have": have, "steps": steps}
        self.file.write_text(yaml.safe_dump(whole, sort_keys=False), encoding="utf-8")


@pytest.fixture
def branches(project: Path, monkeypatch: pytest.MonkeyPatch) -> Branches:
    """The pipeline in the project's folder, with the chat records that it takes."""
    monkeypatch.setenv("NEMOTRON_STEPS_PATH", f"{FAKE}:{LINKS}")
    write_chat(project / "chat.jsonl", 3)
    pipeline = Branches(project / "branches.yaml", {"left": {"times": 3}})
    pipeline.write()
    return pipeline


@dataclass
class PipelineRecorder:
    """Events of a pipeline's run, kept: which steps were begun, and how each ended."""

    begun: list[str] = field(default_factory=list)
    results: list[StepResult] = field(default_factory=list)

    def begins(self, step: PipelineStep) -> Recorder:
        self.begun.append(step.name)
        return Recorder()

    def ended(self, step: PipelineStep, result: StepResult) -> None:
        self.results.append(result)


def run_branches(
    pipeline: Branches,
    start: str | None = None,
    only: str | None = None,
    *,
    force: str | None = None,
    keep_going: bool = False,
    jobs: int | None = 1,
    events: PipelineRecorder | None = None,
) -> PipelineResult:
    """Run it from this process, one step at a time: its jobs are processes of their own, as always."""
    catalog = default_catalog()
    read = read_pipeline(pipeline.file, catalog)
    forced = {force} if force else set()
    wanted = Wanted(selected(read, start, only), forced, keep_going=keep_going, jobs=jobs)
    return run_pipeline(read, catalog, Store.of_project(), events or PipelineRecorder(), wanted)


def statuses(result: PipelineResult) -> dict[str, str]:
    """Step → how it ended, in the order in which they were come to."""
    return {step.name: step.status for step in result.steps}
