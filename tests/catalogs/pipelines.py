"""What tests of pipelines share: a catalog whose steps can be chained, and a pipeline with two branches."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from catalogs.helpers import FAKE, Recorder, write_chat
from nemotron.catalog.catalog import default_catalog
from nemotron.execution.pipeline_runner import PipelineResult, StepResult, run_pipeline, selected
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

    def write(self) -> None:
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

    def begins(self, step: PipelineStep, number: int, total: int) -> Recorder:
        self.begun.append(step.name)
        return Recorder()

    def ended(self, step: PipelineStep, result: StepResult) -> None:
        self.results.append(result)


def run_branches(
    pipeline: Branches, start: str | None = None, only: str | None = None, *, keep_going: bool = False
) -> PipelineResult:
    """Run it from this process: its jobs are processes of their own, as always."""
    catalog = default_catalog()
    read = read_pipeline(pipeline.file, catalog)
    return run_pipeline(
        read,
        catalog,
        Store.of_project(),
        PipelineRecorder(),
        only=selected(read, start, only),
        keep_going=keep_going,
    )


def statuses(result: PipelineResult) -> dict[str, str]:
    """Step → how it ended, in the order in which they were come to."""
    return {step.name: step.status for step in result.steps}
