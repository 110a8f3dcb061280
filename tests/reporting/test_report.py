"""The report of real runs: done, skipped, failed, and killed, which it tells as it was."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from catalogs.helpers import run_step
from catalogs.pipelines import Branches, run_branches

from nemotron.catalog.catalog import default_catalog
from nemotron.execution.lock import this_process
from nemotron.execution.store import Run, Store, read_json, write_json
from nemotron.reporting.report import report_file, write_report
from nemotron.reporting.story import Story, tell
from reporting.html import Page, read

ORDER = ["first", "left", "left_count", "right"]


def story_of(run: Run) -> Story:
    return tell(Store.of_project(), run, default_catalog())


def page_of(run: Run) -> Page:
    return read(write_report(Store.of_project(), run.id).read_text(encoding="utf-8"))


def statuses(story: Story) -> dict[str, str]:
    return {step.name: step.status for step in story.steps}


def cut_off(run: Run, step: str) -> None:
    """What is left of a run whose runner and job were killed at a step."""
    dead = {**this_process(), "started": "1"}
    (attempt,) = run.attempts(step)
    attempt.result.unlink()
    attempt.outputs.unlink()
    write_json(attempt.command, {**read_json(attempt.command), "runner": dead, "process": dead})
    told = read_json(run.folder / "status.json")
    names = [entry["name"] for entry in told["steps"]]
    write_json(run.folder / "status.json", {"steps": told["steps"][: names.index(step)]})


def test_a_run_is_told_from_what_was_asked_to_where_it_came_from(branches: Branches, project: Path) -> None:
    run = run_branches(branches).run
    story = story_of(run)
    assert (story.status, story.want, list(story.haves)) == ("done", "eval_results", ["chat"])
    assert statuses(story) == dict.fromkeys(ORDER, "done")
    assert [(edge["from"], edge["to"]) for edge in story.edges if edge["from"] == "chat"] == [
        ("chat", "first")
    ]
    left_count = next(step for step in story.steps if step.name == "left_count")
    assert left_count.curve is not None
    assert left_count.curve.unit == "record"
    lineage = {artifact.name: artifact for artifact in story.artifacts}
    assert [i["name"] for i in lineage["left_count.counts"].inputs] == ["left.records"]
    assert (lineage["chat"].producer, lineage["chat"].path) == (None, str(project / "chat.jsonl"))
    assert lineage["chat"].digest is not None
    words = page_of(run).words
    assert all(name in words for name in [*ORDER, "training_jsonl", "Lineage", "Loss"])


def test_the_report_lies_in_the_run_s_folder_or_where_it_is_wanted(
    branches: Branches, tmp_path: Path
) -> None:
    run, store = run_branches(branches).run, Store.of_project()
    assert write_report(store, run.id) == report_file(run) == run.folder / "report.html"
    assert write_report(store, run.id, tmp_path / "mine.html").is_file()


def test_what_was_skipped_names_the_run_that_made_it_and_shows_its_losses(branches: Branches) -> None:
    first, second = run_branches(branches).run, run_branches(branches).run
    story = story_of(second)
    assert statuses(story) == dict.fromkeys(ORDER, "skipped")
    assert {step.made_by for step in story.steps} == {first.id}
    assert all(step.config for step in story.steps)
    assert first.id in page_of(second).words


def test_a_killed_run_is_told_as_far_as_it_came(branches: Branches) -> None:
    run = run_branches(branches).run
    cut_off(run, "left_count")
    assert run.attempts("right")
    for file in sorted(run.attempts("right")[0].folder.iterdir()):
        file.unlink()
    run.attempts("right")[0].folder.rmdir()
    story = story_of(run)
    assert story.status == "interrupted"
    assert statuses(story) == {
        "first": "done", "left": "done", "left_count": "interrupted", "right": "not run"
    }  # fmt: skip
    words = page_of(run).words
    assert "the job and its runner were killed" in words
    assert "the run ended before it" in words
    assert "left_count.counts" not in words


def test_an_artifact_that_was_removed_since_is_not_said_to_be_there(branches: Branches) -> None:
    result = run_branches(branches)
    outcome = result.steps[-1].outcome
    assert outcome is not None
    for file in sorted(outcome.made[0].path.rglob("*"), reverse=True):
        file.unlink()
    outcome.made[0].path.rmdir()
    gone = [a.path for a in story_of(result.run).artifacts if not a.is_there]
    assert gone == [str(outcome.made[0].path)]


def test_a_torn_status_and_torn_records_make_a_report_all_the_same(branches: Branches) -> None:
    run = run_branches(branches).run
    (run.folder / "status.json").write_text('{"steps": [{"na', encoding="utf-8")
    for attempt in run.attempts():
        attempt.progress.write_text('{"step": 1, "lo', encoding="utf-8")
        attempt.config.write_text("a: [", encoding="utf-8")
    assert statuses(story_of(run)) == dict.fromkeys(ORDER, "done")
    page_of(run)


def test_a_step_that_failed_is_told_with_the_errors_that_are_known(project: Path, fake_steps: Path) -> None:
    outcome, _ = run_step("test/breaks", "how=known_errors")
    assert outcome.attempt is not None
    run = Run(Store.of_project().runs / outcome.attempt.run_id)
    (step,) = story_of(run).steps
    assert (step.status, [r["recovery"] for r in step.recoveries][:1]) == ("failed", ["Push the cable in."])
    words = page_of(run).words
    assert "Push the cable in." in words
    assert "cable 12 is loose" in words
    assert step.log_end is not None
    assert step.log_end.splitlines()[0] == "will fail: known_errors"


def test_no_secret_is_in_the_report(branches: Branches) -> None:
    token = "hf_" + "a1B2" * 8
    run = run_branches(branches).run
    for attempt in run.attempts():
        attempt.config.write_text(f"note: {token}\napi_key: verysecret\n", encoding="utf-8")
        attempt.log.write_text(f"logged in with {token}\n", encoding="utf-8")
        write_json(attempt.result, {**read_json(attempt.result), "status": "failed"})
    (run.folder / "status.json").unlink()
    with open(run.pipeline, "a", encoding="utf-8") as stream:
        stream.write(f"# {token}\n")
    html = write_report(Store.of_project(), run.id).read_text(encoding="utf-8")
    assert token not in html
    assert "verysecret" not in html
    assert "logged in with &lt;redacted&gt;" in html


@pytest.mark.parametrize("text", ["", "steps: [", "version: 1\nsteps: {<script>: {step: <b>gone</b>}}\n"])
def test_a_pipeline_that_cannot_be_read_any_more_is_told_without_a_graph(
    branches: Branches, text: str
) -> None:
    run = run_branches(branches).run
    run.pipeline.write_text(text, encoding="utf-8")
    assert story_of(run).graph_problem is not None
    page = page_of(run)
    assert not {"script", "b"} & set(page.tags)


def test_a_story_is_data(branches: Branches) -> None:
    story = story_of(run_branches(branches).run)
    assert json.loads(json.dumps(asdict(story)))["run"] == story.run
