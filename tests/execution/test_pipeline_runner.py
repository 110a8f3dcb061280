"""Running a pipeline: in order, each step once, what a failure stops, what a change runs again."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from catalogs.helpers import Recorder, write_chat
from catalogs.pipelines import Branches, PipelineRecorder, run_branches, statuses

from nemotron.catalog.catalog import default_catalog
from nemotron.diagnostic import Failure
from nemotron.execution.lock import hold
from nemotron.execution.pipeline_result import PipelineResult
from nemotron.execution.pipeline_runner import run_pipeline, stored_pipeline
from nemotron.execution.store import Store
from nemotron.planning.pipeline import PipelineStep

ORDER = ["first", "left", "left_count", "right"]


def ran(result: PipelineResult) -> list[str]:
    return [step.name for step in result.steps if step.status == "done"]


def why(result: PipelineResult, name: str) -> str:
    return next(step.why for step in result.steps if step.name == name)


def test_each_step_runs_after_what_it_needs_and_takes_what_that_made(branches: Branches) -> None:
    result = run_branches(branches)
    assert (ran(result), result.exit_code) == (ORDER, 0)
    outcome = result.steps[2].outcome
    assert outcome is not None
    counted = json.loads((outcome.made[0].path / "counts.json").read_text(encoding="utf-8"))
    assert counted["user"] == 9 * 2 * 3
    assert outcome.made[0].record.inputs[0].path.endswith("records.jsonl")


def test_all_attempts_are_in_one_run(branches: Branches, project: Path) -> None:
    result = run_branches(branches)
    assert [run.id for run in Store.of_project().all_runs()] == [result.run.id]
    assert sorted(attempt.folder.parent.name for attempt in result.run.attempts()) == sorted(ORDER)
    assert result.run.told()["cwd"] == result.run.told()["folder"] == str(project)


def test_what_is_finished_is_skipped_and_names_the_run_that_made_it(branches: Branches) -> None:
    first = run_branches(branches)
    second = run_branches(branches)
    assert statuses(second) == dict.fromkeys(ORDER, "skipped")
    assert {step.why for step in second.steps} == {
        f"run {first.run.id} made it from the same config and inputs"
    }
    assert second.exit_code == 0


@pytest.mark.parametrize(
    ("step", "settings", "again"),
    [
        ("first", {"times": 5}, ORDER),
        ("left", {"times": 5}, ["left", "left_count"]),
        ("left_count", {"unit": "letters"}, ["left_count"]),
        ("right", {"minimum": 2}, ["right"]),
        ("right", {"note": "the key ignores this"}, []),
        ("left", {"times": 3}, []),
    ],
)
def test_a_change_runs_again_exactly_what_depends_on_it(
    branches: Branches, step: str, settings: dict[str, object], again: list[str]
) -> None:
    run_branches(branches)
    branches.change(step, **settings)
    result = run_branches(branches)
    assert ran(result) == again
    assert set(statuses(result).values()) <= {"done", "skipped"}


def test_new_data_runs_everything_again(branches: Branches, project: Path) -> None:
    run_branches(branches)
    write_chat(project / "chat.jsonl", 4)
    assert ran(run_branches(branches)) == ORDER


def test_a_step_that_fails_stops_the_pipeline(branches: Branches) -> None:
    branches.change("left", fails=True)
    result = run_branches(branches)
    assert statuses(result) == {
        "first": "done",
        "left": "failed",
        "left_count": "not run",
        "right": "not run",
    }
    assert (why(result, "left_count"), why(result, "right")) == ("it needs left", "left did not end well")
    assert result.exit_code == 1


def test_to_keep_going_runs_what_does_not_need_it(branches: Branches) -> None:
    branches.change("left", fails=True)
    result = run_branches(branches, keep_going=True)
    assert statuses(result) == {"first": "done", "left": "failed", "left_count": "not run", "right": "done"}
    assert result.exit_code == 1


def test_a_pipeline_that_failed_goes_on_where_it_stopped(branches: Branches) -> None:
    branches.change("left", fails=True)
    run_branches(branches)
    branches.change("left", fails=False)
    result = run_branches(branches)
    assert ran(result) == ["left", "left_count", "right"]
    assert statuses(result)["first"] == "skipped"


def test_only_one_step_runs_and_needs_what_is_finished(branches: Branches) -> None:
    run_branches(branches)
    branches.change("right", minimum=2)
    branches.change("left_count", minimum=2)
    result = run_branches(branches, only="right")
    assert ran(result) == ["right"]
    assert why(result, "left_count") == "it was not asked for, and is not finished"
    assert result.exit_code == 0


def test_a_branch_that_was_not_asked_for_holds_nothing_up(branches: Branches) -> None:
    run_branches(branches, only="first")
    result = run_branches(branches, only="right")
    assert statuses(result) == {
        "first": "skipped",
        "left": "not run",
        "left_count": "not run",
        "right": "done",
    }
    assert result.exit_code == 0


def test_a_step_that_needs_one_that_was_not_asked_for_is_blocked(branches: Branches) -> None:
    result = run_branches(branches, only="left")
    assert ran(result) == []
    assert [d.code for step in result.steps for d in step.diagnostics] == ["NMT810"]
    assert (why(result, "left"), result.exit_code) == ("it needs first", 3)


def test_from_a_step_on_runs_it_and_what_needs_it(branches: Branches) -> None:
    run_branches(branches)
    branches.change("left", times=7)
    branches.change("right", minimum=2)
    assert ran(run_branches(branches, start="left")) == ["left", "left_count"]


def test_a_step_that_another_process_runs_is_refused_by_its_holder(branches: Branches) -> None:
    first = run_branches(branches, only="first")
    assert first.steps[0].outcome is not None
    key = first.steps[0].outcome.key
    store = Store.of_project()
    with hold(store.lock_file("link/repeat", key), "x"):
        result = run_branches(branches)
    assert set(statuses(result).values()) == {"not run"}
    assert [d.code for d in result.steps[0].diagnostics] == ["NMT806"]
    assert result.exit_code == 3


@dataclass
class Together(PipelineRecorder):
    """Lets the jobs that wait for `pause` go on once so many have begun: one by one they would never end."""

    pause: Path = Path("pause")
    wanted: int = 2
    seen: set[str] = field(default_factory=set)

    def begins(self, step: PipelineStep) -> Recorder:
        events, seen = super().begins(step), self.seen

        def progress(line: dict[str, Any]) -> None:
            seen.add(step.name)
            if {"left", "right"} <= seen:
                self.pause.write_text("go on", encoding="utf-8")

        events.progress = progress  # type: ignore[method-assign]
        return events


@pytest.fixture
def together(branches: Branches, project: Path) -> Together:
    (project / "pause").touch()
    for step in ("left", "right"):
        branches.change(step, pause=str(project / "pause"))
    return Together(pause=project / "pause")


def test_independent_steps_run_side_by_side(branches: Branches, together: Together) -> None:
    result = run_branches(branches, jobs=2, events=together)
    assert statuses(result) == dict.fromkeys(ORDER, "done")
    assert [step.name for step in result.steps] == ORDER


def test_a_failure_lets_what_has_begun_come_to_its_end(branches: Branches, together: Together) -> None:
    branches.change("left", fails=True)
    result = run_branches(branches, jobs=2, events=together)
    assert statuses(result) == {"first": "done", "left": "failed", "left_count": "not run", "right": "done"}


def test_two_steps_of_one_key_run_one_after_the_other(branches: Branches) -> None:
    branches.write(twin=("link/repeat", "first", {"times": 3}))
    result = run_branches(branches, jobs=4)
    assert sorted(statuses(result)[name] for name in ("left", "twin")) == ["done", "skipped"]


def test_a_forced_step_runs_again_and_keeps_what_it_made_before(branches: Branches, project: Path) -> None:
    first = run_branches(branches)
    again = run_branches(branches, force="left")
    assert statuses(again) == {
        "first": "skipped",
        "left": "done",
        "left_count": "skipped",
        "right": "skipped",
    }
    before, after = first.steps[1].outcome, again.steps[1].outcome
    assert before is not None
    assert after is not None
    assert after.key == before.key
    assert after.made[0].path == before.made[0].path
    kept = list((project / ".nemotron" / "artifacts").glob("*.replaced-*"))
    assert [sorted(path.name for path in folder.iterdir()) for folder in kept] == [
        sorted(path.name for path in after.made[0].path.parent.iterdir())
    ]


def test_one_process_at_a_time_runs_a_run(branches: Branches) -> None:
    run = run_branches(branches).run
    store, catalog = Store.of_project(), default_catalog()
    with hold(store.run_lock_file(run), "x"), pytest.raises(Failure, match=f"already running {run.id}"):
        run_pipeline(stored_pipeline(run, catalog), catalog, store, PipelineRecorder(), within=run)


def test_a_stored_pipeline_takes_its_inputs_from_where_its_file_was(
    branches: Branches, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_branches(branches, only="first").run
    (project / "elsewhere").mkdir()
    monkeypatch.chdir(project / "elsewhere")
    assert stored_pipeline(run, default_catalog()).haves["chat"].path == project / "chat.jsonl"
