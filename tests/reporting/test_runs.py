"""What became of runs, told by what lies in the store and who lives."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from catalogs.helpers import end_quietly, run_step
from catalogs.pipelines import Branches, run_branches
from small import failure

from nemotron.execution.lock import hold, this_process
from nemotron.execution.processes import MARK
from nemotron.execution.store import Attempt, Run, Store, write_json
from nemotron.reporting.runs import RunReport, StepReport, all_reports, find_run, report

PIPELINE = "version: 1\nsteps:\n  one: {step: test/one}\n  two: {step: test/two}\n"


@pytest.fixture
def store(project: Path) -> Store:
    return Store.of_project()


def report_of(run: Run) -> RunReport:
    return report(run, Store.of_project())


def step_of(run: Run, name: str = "one") -> StepReport:
    return next(step for step in report_of(run).steps if step.name == name)


def dead_process() -> dict[str, object]:
    """A process of this host that has ended, as the store names it."""
    return {**this_process(), "started": "1"}


def new_attempt(run: Run, runner: dict[str, object], mark: str = "") -> Attempt:
    """An attempt without a result."""
    attempt = run.new_attempt("one")
    attempt.config.write_text("{}", encoding="utf-8")
    write_json(attempt.command, {"step": "test/one", "attempt": mark or uuid.uuid4().hex, "runner": runner})
    return attempt


@pytest.fixture
def job() -> Iterator[str]:
    """The mark of a process that lives."""
    mark = uuid.uuid4().hex
    process = subprocess.Popen(["sleep", "1000"], env={**os.environ, MARK: mark}, start_new_session=True)
    yield mark
    end_quietly(process.pid)
    process.wait()


def test_a_pipeline_that_ended_is_told_as_its_runner_wrote_it_down(branches: Branches) -> None:
    branches.change("left", fails=True)
    run = run_branches(branches, keep_going=True).run
    told = report_of(run)
    assert (told.status, told.done, told.name) == ("failed", 2, "branches")
    assert [(step.name, step.status) for step in told.steps] == [
        ("first", "done"),
        ("left", "failed"),
        ("left_count", "not run"),
        ("right", "done"),
    ]
    left = told.steps[1]
    assert left.diagnostics[0]["code"] == "NMT801"
    assert left.why == left.diagnostics[0]["summary"]
    assert left.attempt is not None
    assert left.attempt.log.read_text(encoding="utf-8").startswith("repeating 6 records")
    assert Path(told.steps[0].artifacts["records"]).is_file()
    assert told.seconds == pytest.approx(sum(step.seconds for step in told.steps))


def test_what_was_skipped_counts_as_done(branches: Branches) -> None:
    run_branches(branches)
    told = report_of(run_branches(branches).run)
    assert (told.status, told.done, told.seconds) == ("done", 4, 0.0)
    assert told.steps[0].why.startswith("run ")


def test_what_was_not_asked_for_is_not_left_undone(branches: Branches) -> None:
    assert report_of(run_branches(branches, only="first").run).status == "done"
    assert report_of(run_branches(branches, only="left_count").run).status == "failed"


def test_a_run_of_one_step_is_told_by_its_result(chat: Path, store: Store) -> None:
    run_step("test/word_count", "data=chat.jsonl")
    run_step("test/breaks", "how=known_errors")
    failed, done = (report_of(run) for run in store.all_runs())
    assert (done.status, done.name, done.done) == ("done", "test/word_count", 1)
    assert [step.step for step in done.steps] == ["test/word_count"]
    assert list(done.steps[0].artifacts) == ["counts"]
    assert (failed.status, failed.steps[0].why) == ("failed", "the job failed with exit code 1")
    assert [entry["id"] for entry in failed.steps[0].recoveries][:2] == ["loose_cable", "wrong_voltage"]


def test_an_attempt_whose_runner_and_job_are_gone_was_interrupted(store: Store) -> None:
    run = store.new_run("x", PIPELINE)
    attempt = new_attempt(run, dead_process())
    told = step_of(run)
    assert (told.status, told.why) == ("interrupted", "the job and its runner were killed")
    attempt.outputs.write_text("[]", encoding="utf-8")
    assert "before it was recorded" in step_of(run).why
    assert (report_of(run).status, step_of(run, "two").status) == ("interrupted", "not run")


def test_a_job_that_lives_is_running_with_its_newest_whole_line(store: Store, job: str) -> None:
    run = store.new_run("x", PIPELINE)
    attempt = new_attempt(run, this_process(), job)
    assert step_of(run).progress is None
    attempt.progress.write_text('{"step": 1}\n{"step": 2, "total": 9}\n{"st', encoding="utf-8")
    told = step_of(run)
    assert (told.status, told.why, told.progress) == ("running", "", {"step": 2, "total": 9})
    assert report_of(run).status == "running"


def test_a_job_that_outlived_its_runner_is_running_and_its_runner_is_missed(store: Store, job: str) -> None:
    run = store.new_run("x", PIPELINE)
    new_attempt(run, dead_process(), job)
    assert (step_of(run).status, report_of(run).status) == ("running", "running")
    assert "its runner is gone" in step_of(run).why


def test_a_runner_that_records_what_was_made_is_running(store: Store) -> None:
    run = store.new_run("x", PIPELINE)
    new_attempt(run, this_process()).outputs.write_text("[]", encoding="utf-8")
    assert (step_of(run).status, step_of(run).why) == ("running", "what it made is being recorded")


def test_of_a_run_on_another_host_nothing_is_claimed(store: Store) -> None:
    run = store.new_run("x", PIPELINE)
    new_attempt(run, {**this_process(), "host": "elsewhere"})
    assert (step_of(run).status, step_of(run).why) == (
        "running",
        "on elsewhere, which cannot be seen from here",
    )


def test_a_runner_between_two_steps_is_at_work(store: Store) -> None:
    run = store.new_run("x", PIPELINE)
    write_json(run.folder / "status.json", {"steps": [{"name": "one", "status": "done", "seconds": 2}]})
    with hold(store.run_lock_file(run), "x"):
        told = report_of(run)
        assert (told.status, [step.status for step in told.steps]) == ("running", ["done", "waiting"])
    told = report_of(run)
    assert (told.status, [step.status for step in told.steps]) == ("interrupted", ["done", "not run"])


def test_a_step_that_a_resumed_run_has_not_come_to_again_is_waiting(store: Store) -> None:
    run = store.new_run("x", PIPELINE)
    new_attempt(run, dead_process())
    with hold(store.run_lock_file(run), "x"):
        assert step_of(run).status == "waiting"
    assert step_of(run).status == "interrupted"


def test_the_newest_attempt_counts(store: Store) -> None:
    run = store.new_run("x", PIPELINE)
    new_attempt(run, dead_process())
    write_json(new_attempt(run, dead_process()).result, {"status": "done", "seconds": 1.5, "outputs": []})
    assert (step_of(run).status, step_of(run).seconds) == ("done", 1.5)


@pytest.mark.parametrize("content", ["", "steps: [", "steps: 3\n", "steps: {one: 3}\n"])
def test_a_run_whose_pipeline_is_torn_is_told_all_the_same(store: Store, content: str) -> None:
    run = store.new_run("x", content)
    assert report_of(run).status == "interrupted"


def test_torn_files_of_an_attempt_are_no_result(store: Store) -> None:
    run = store.new_run("x", PIPELINE)
    attempt = run.new_attempt("one")
    attempt.command.write_text('{"step": "te', encoding="utf-8")
    (run.folder / "status.json").write_text("[]", encoding="utf-8")
    (run.folder / "run.json").write_text("{", encoding="utf-8")
    assert (step_of(run).status, report_of(run).name) == ("interrupted", "x")


def test_runs_come_newest_first(store: Store) -> None:
    made = [store.new_run(name, PIPELINE).id for name in ("b", "a", "c")]
    assert [told.run.id for told in all_reports(store)] == made[::-1]


def test_a_run_is_found_by_any_part_that_fits_it_alone(store: Store) -> None:
    first, second = store.new_run("apples", PIPELINE), store.new_run("pears", PIPELINE)
    for wanted in (first.id, first.id[:-1], "apples", first.id[-9:]):
        assert find_run(store, wanted).id == first.id
    assert find_run(store, "last").id == second.id


def test_a_beginning_goes_before_a_part(store: Store) -> None:
    run = store.new_run("x", PIPELINE)
    other = store.new_run(run.id[:8], PIPELINE)
    other.folder.rename(other.folder.with_name(f"19990101-000000-{run.id[:8]}-0000"))
    assert find_run(store, run.id[:8]).id == run.id


def test_a_part_that_fits_several_is_ambiguous(store: Store) -> None:
    runs = [store.new_run("apples", PIPELINE) for _ in range(2)]
    found = failure(lambda: find_run(store, "apples"))
    assert (found.code, found.summary) == ("NMT808", "'apples' fits 2 runs")
    assert all(run.id in found.fix for run in runs)


@pytest.mark.parametrize("wanted", ["aples", "zzzz", "", "last"])
def test_an_unknown_run_is_refused_with_what_there_is(store: Store, wanted: str) -> None:
    assert "no runs yet" in failure(lambda: find_run(store, wanted)).fix
    run = store.new_run("apples", PIPELINE)
    if wanted != "last":
        found = failure(lambda: find_run(store, wanted))
        assert (found.code, run.id in found.fix) == ("NMT807", True)
        assert ("did you mean" in found.fix) == (wanted == "aples")


def test_a_run_that_another_process_was_killed_in_keeps_what_had_ended(branches: Branches) -> None:
    """The runner ends after its first step, without a word."""
    program = (
        "import os\n"
        "from catalogs.pipelines import *\n"
        "class Ends(PipelineRecorder):\n"
        "    def ended(self, step, result): os.kill(os.getpid(), 9)\n"
        "catalog = default_catalog()\n"
        "pipeline = read_pipeline(Path('branches.yaml'), catalog)\n"
        "run_pipeline(pipeline, catalog, Store.of_project(), Ends())\n"
    )
    tests = Path(__file__).resolve().parents[1]
    ended = subprocess.run([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(tests)})
    assert ended.returncode == -9
    told = report_of(Store.of_project().all_runs()[0])
    assert (told.status, [step.status for step in told.steps]) == (
        "interrupted",
        ["done", "not run", "not run", "not run"],
    )
