"""Running a step: once for each request, to a whole end or to none, with nothing left running."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from catalogs.helpers import (
    Recorder,
    attempts,
    end_quietly,
    helpers_of,
    is_alive,
    plan_for,
    run_step,
    write_chat,
)

from nemotron.diagnostic import Failure
from nemotron.execution import runner
from nemotron.execution.lock import hold
from nemotron.execution.processes import MARK
from nemotron.execution.store import Attempt, Store, read_json, write_json

COUNT = ("test/word_count", "data=chat.jsonl")
TRAIN = ("test/trainer", "data=chat.jsonl")


def counts(outcome: runner.Outcome) -> dict[str, int]:
    told: dict[str, int] = json.loads((outcome.made[0].path / "counts.json").read_text(encoding="utf-8"))
    return told


def last_attempt(project: Path) -> Attempt:
    return Attempt(attempts(project)[-1])


def test_a_run_does_the_work_and_says_what_it_made(chat: Path) -> None:
    outcome, events = run_step(*COUNT)
    assert (outcome.status, outcome.exit_code) == ("done", 0)
    assert counts(outcome) == {"user": 9, "assistant": 6}
    assert events.lines == ["counted 3 records"]
    assert [step["step"] for step in events.steps] == [1, 2, 3]
    assert (events.changed, events.has_ended) == ([], True)


def test_an_attempt_keeps_what_was_asked_and_what_came_of_it(chat: Path, project: Path) -> None:
    outcome, _ = run_step(*COUNT)
    attempt = last_attempt(project)
    names = {path.name for path in attempt.folder.iterdir()}
    assert names == {"config.yaml", "command.json", "log", "progress.jsonl", "outputs.json", "result.json"}
    told, result = read_json(attempt.command), read_json(attempt.result)
    assert told["argv"][-1] == str(attempt.config)
    assert told["cwd"] == str(attempt.folder)
    assert (told["key"], result["key"]) == (outcome.key, outcome.key)
    assert (result["status"], result["exit_code"]) == ("done", 0)
    assert result["outputs"][0]["digest"] == outcome.made[0].record.digest
    pipeline = yaml.safe_load((attempt.folder.parent.parent / "pipeline.yaml").read_text(encoding="utf-8"))
    assert pipeline["have"]["training_jsonl"]["path"] == str(chat)
    assert list(pipeline["steps"]) == ["test-word_count"]


def test_every_path_in_a_job_s_config_is_absolute(chat: Path, project: Path) -> None:
    (project / "go").write_text("on", encoding="utf-8")
    run_step(*COUNT, "output=some/where", "pause=./go")
    config = yaml.safe_load(last_attempt(project).config.read_text(encoding="utf-8"))
    assert config["data"] == str(chat)
    assert config["pause"] == str(project / "go")
    assert config["output"] == str(project / "some" / "where")
    assert (project / "some" / "where" / "counts.json").is_file()


def test_what_is_finished_does_not_run_again(chat: Path, project: Path) -> None:
    first, _ = run_step(*COUNT)
    outcome, events = run_step(*COUNT)
    assert (outcome.status, outcome.exit_code, outcome.attempt) == ("skipped", 0, None)
    assert events.skipped_with is not None
    assert [made.path for made in outcome.made] == [made.path for made in first.made]
    assert len(attempts(project)) == 1


def test_a_run_says_what_changed_since_the_last_finished_one(chat: Path) -> None:
    run_step(*COUNT)
    assert run_step(*COUNT, "minimum=3")[1].changed == ["minimum"]
    assert run_step(*COUNT, "note=1", "unit=letters")[1].changed == ["unit", "minimum"]
    write_chat(chat, 5)
    outcome, events = run_step(*COUNT, "unit=letters")
    assert events.changed == ["data"]
    assert outcome.made[0].record.facts["documents"] == 5
    assert run_step(*COUNT, "unit=letters", "output=here")[1].changed == ["the output folder"]


def test_what_was_damaged_is_made_again_and_the_rest_of_it_kept(chat: Path, project: Path) -> None:
    run_step(*COUNT, "output=out")
    (project / "out" / "artifact.json").write_text('{"version": 1, "ty', encoding="utf-8")
    outcome, events = run_step(*COUNT, "output=out")
    assert (outcome.status, events.changed) == ("done", ["the files that it made"])
    assert counts(outcome) == {"user": 9, "assistant": 6}
    aside = [path for path in project.iterdir() if path.name.startswith("out.unfinished-")]
    assert [sorted(p.name for p in folder.iterdir()) for folder in aside] == [
        ["artifact.json", "counts.json"]
    ]
    assert run_step(*COUNT, "output=out")[0].status == "skipped"


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("raises", "NMT801"),
        ("exits", "NMT801"),
        ("crashes", "NMT801"),
        ("explains", "NMT215"),
        ("is_killed", "NMT501"),
        ("says_nothing", "NMT802"),
        ("tears_its_outputs", "NMT802"),
        ("tells_nonsense", "NMT803"),
        ("makes_nothing", "NMT803"),
    ],
)
def test_a_job_that_ends_badly_has_failed_and_made_nothing(
    fake_steps: Path, project: Path, how: str, code: str
) -> None:
    outcome, events = run_step("test/breaks", f"how={how}", "where=chat.jsonl")
    assert (outcome.status, outcome.exit_code, outcome.made) == ("failed", 1, [])
    assert [problem.code for problem in outcome.diagnostics] == [code]
    assert events.lines[0] == f"will fail: {how}"
    assert read_json(last_attempt(project).result)["status"] == "failed"
    assert list(project.rglob("artifact.json")) == []
    assert plan_for("test/breaks", f"how={how}", "where=chat.jsonl").finished is None


def test_a_job_that_runs_out_of_memory_is_recognised(fake_steps: Path, project: Path) -> None:
    outcome, _ = run_step("test/breaks", "how=runs_out_of_address_space")
    assert outcome.diagnostics[0].detail == "MemoryError"
    assert [recovery.id for recovery in outcome.recoveries] == ["host_out_of_memory"]


def test_odd_progress_and_odd_bytes_do_not_end_a_job(fake_steps: Path, project: Path) -> None:
    outcome, events = run_step("test/breaks", "how=writes_odd_progress")
    assert outcome.status == "done"
    assert {"step": -1, "total": 3} in events.steps


def test_what_a_finished_job_left_running_is_ended(fake_steps: Path, project: Path) -> None:
    outcome, _ = run_step("test/breaks", "how=leaves_a_child")
    assert outcome.status == "done"
    assert [pid for pid in helpers_of(last_attempt(project).folder) or [0] if is_alive(pid)] == []


def test_a_resumable_step_goes_on_where_it_was_cut_off(chat: Path, project: Path) -> None:
    (project / "pause").touch()
    with pytest.raises(KeyError):
        run_step_with(_FailsAfter(epochs=1), *TRAIN, "pause=pause")
    (project / "pause").write_text("go on")
    outcome, events = run_step(*TRAIN, "pause=pause")
    assert outcome.status == "done"
    assert events.lines == ["starting after epoch 1"]
    assert [step["step"] for step in events.steps] == [2, 3]


class _FailsAfter(Recorder):
    """Events that fail when an epoch is reached, as a bug in them might."""

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self.epochs = epochs

    def progress(self, line: dict[str, Any]) -> None:
        if line["step"] == self.epochs:
            raise KeyError("a bug")


def run_step_with(events: Recorder, step: str, *overrides: str) -> runner.Outcome:
    return runner.run(plan_for(step, *overrides), Store.of_project(), events)


def test_a_bug_of_ours_leaves_no_job_running_and_no_result(chat: Path, project: Path) -> None:
    (project / "pause").touch()
    with pytest.raises(KeyError):
        run_step_with(_FailsAfter(epochs=1), *TRAIN, "pause=pause", "helpers=[polite,stubborn]")
    attempt = last_attempt(project)
    assert [pid for pid in helpers_of(attempt.folder) or [0] if is_alive(pid)] == []
    assert not attempt.result.exists()


def cut_off(project: Path) -> None:
    """As if the runner had been killed between the job's last word and the record of it."""
    attempt = last_attempt(project)
    attempt.result.unlink()
    for file in project.rglob("*artifact.json"):
        file.unlink()


def test_what_a_job_finished_is_recorded_when_its_runner_could_not(chat: Path, project: Path) -> None:
    first, _ = run_step(*COUNT)
    cut_off(project)
    outcome, events = run_step(*COUNT)
    assert (outcome.status, outcome.attempt) == ("done", first.attempt)
    assert events.adopted_from == first.attempt
    assert outcome.made == [
        made for made in outcome.made if made.record.digest == first.made[0].record.digest
    ]
    assert len(attempts(project)) == 1
    assert run_step(*COUNT)[0].status == "skipped"


def test_so_it_is_after_an_interruption_that_came_too_late(chat: Path, project: Path) -> None:
    run_step(*COUNT)
    cut_off(project)
    write_json(last_attempt(project).result, {"status": "interrupted"})
    assert run_step(*COUNT)[1].adopted_from is not None


def test_what_a_service_answered_is_never_taken_again(chat: Path, project: Path) -> None:
    judged = (*COUNT, "judge=http://localhost:1/v1")
    run_step(*judged)
    assert run_step(*judged)[0].status == "done"
    cut_off(project)
    outcome, events = run_step(*judged)
    assert (outcome.status, events.adopted_from) == ("done", None)
    assert len(attempts(project)) == 3


def test_a_job_s_last_word_without_its_files_is_no_result(chat: Path, project: Path) -> None:
    first, _ = run_step(*COUNT)
    cut_off(project)
    first.made[0].path.rename(project / "taken away")
    outcome, events = run_step(*COUNT)
    assert (outcome.status, events.adopted_from) == ("done", None)
    assert len(attempts(project)) == 2


@pytest.fixture
def orphan(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A process that an attempt left, and the attempt's mark."""
    mark = uuid.uuid4().hex
    process = subprocess.Popen(["sleep", "1000"], env={**os.environ, MARK: mark}, start_new_session=True)
    yield mark, process
    end_quietly(process.pid)
    process.wait()


def dead_attempt(told: dict[str, Any]) -> Attempt:
    """An attempt whose runner was killed while its job ran."""
    attempt = Store.of_project().new_run("test/word_count", "").new_attempt("test/word_count")
    write_json(attempt.command, told)
    return attempt


def test_an_orphan_of_the_same_request_is_ended_before_it_runs_again(
    chat: Path, orphan: tuple[str, subprocess.Popen[bytes]]
) -> None:
    mark, process = orphan
    dead_attempt({"key": plan_for(*COUNT).key, "attempt": mark, "outputs": {}})
    assert run_step(*COUNT)[0].status == "done"
    assert process.wait(0) == -15


def test_an_orphan_that_writes_to_the_same_folder_is_ended(
    chat: Path, project: Path, orphan: tuple[str, subprocess.Popen[bytes]]
) -> None:
    mark, process = orphan
    dead_attempt({"key": "another", "attempt": mark, "outputs": {"output": str(project / "out")}})
    assert run_step(*COUNT, "output=out")[0].status == "done"
    assert process.wait(0) == -15


def test_another_run_s_processes_are_left_alone(
    chat: Path, project: Path, orphan: tuple[str, subprocess.Popen[bytes]]
) -> None:
    mark, process = orphan
    dead_attempt({"key": "another", "attempt": mark, "outputs": {"output": str(project / "other")}})
    assert run_step(*COUNT, "output=out")[0].status == "done"
    assert process.poll() is None


def test_two_runs_of_one_request_exclude_each_other(chat: Path) -> None:
    plan = plan_for(*COUNT)
    with (
        hold(Store.of_project().lock_file("test/word_count", plan.key), "x"),
        pytest.raises(
            Failure, match="NMT806: another process is already running test/word_count with this config"
        ),
    ):
        run_step(*COUNT)
    assert run_step(*COUNT)[0].status == "done"


def test_two_runs_into_one_folder_exclude_each_other(chat: Path, project: Path) -> None:
    with (
        hold(Store.of_project().output_lock_file(project / "out"), "x"),
        pytest.raises(Failure, match="NMT806: another process is already writing to"),
    ):
        run_step(*COUNT, "output=out")


def test_runs_leave_no_locks_behind(chat: Path, project: Path) -> None:
    run_step(*COUNT, "output=out")
    run_step("test/breaks", "how=raises")
    left = [path.name for path in (project / ".nemotron" / "locks").iterdir() if path.name != ".breaking"]
    assert left == []
