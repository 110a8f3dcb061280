"""Outputs: where they go, when they are finished, what is recorded; nobody's files are written over."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from catalogs.helpers import Recorder, plan_for, request_for, run_step, tree_of

from nemotron.artifacts.record import read_record, record_path
from nemotron.diagnostic import Failure
from nemotron.execution import outputs, runner
from nemotron.execution.runner import Outcome
from nemotron.execution.store import Attempt, Store, write_json

COUNT = ("test/word_count", "data=chat.jsonl")


@pytest.fixture
def done(chat: Path) -> Outcome:
    """A finished run of word_count."""
    return run_step(*COUNT)[0]


def test_outputs_go_where_the_user_says_else_into_the_store(chat: Path, project: Path) -> None:
    named = plan_for(*COUNT, "output=some/where")
    assert named.folders == {"output": project / "some" / "where"}
    assert named.request.config.tree["output"] == str(project / "some" / "where")
    chosen = plan_for(*COUNT)
    folder = project / ".nemotron" / "artifacts" / f"test-word_count-{chosen.key[:12]}"
    assert chosen.folders == {"output": folder}
    assert chosen.request.config.tree["output"] == str(folder)


def test_preparing_a_run_writes_nothing(chat: Path, project: Path) -> None:
    plan_for(*COUNT, "output=some/where")
    assert sorted(path.name for path in project.iterdir()) == [".nemotron", "chat.jsonl"]
    assert list((project / ".nemotron").iterdir()) == []


def test_a_record_tells_facts_files_producer_and_inputs(done: Outcome, chat: Path) -> None:
    record = done.made[0].record
    assert record.type == "eval_results"
    assert record.facts == {"documents": 3, "language": "en"}
    assert [(entry.path, entry.size) for entry in record.files] == [
        ("counts.json", (done.made[0].path / "counts.json").stat().st_size)
    ]
    assert (record.producer.step, record.producer.key) == ("test/word_count", done.key)
    assert done.attempt is not None
    assert (record.producer.run, record.producer.attempt) == (done.attempt.run_id, done.attempt.name)
    assert [(entry.port, entry.path) for entry in record.inputs] == [("training_jsonl", str(chat))]
    assert read_record(done.made[0].path) == record


def test_the_record_of_a_single_file_lies_beside_it(chat: Path) -> None:
    made = run_step("test/trainer", "data=chat.jsonl")[0].made[0]
    assert made.path.is_file()
    assert made.path.with_name("model.json.artifact.json").is_file()
    assert made.record.facts == {"iteration": 3}


def test_what_a_run_made_is_found_again(done: Outcome) -> None:
    found = plan_for(*COUNT).finished
    assert found is not None
    assert [made.path for made in found] == [made.path for made in done.made]


def torn(folder: Path) -> None:
    text = record_path(folder).read_text(encoding="utf-8")
    record_path(folder).write_text(text[: len(text) // 2], encoding="utf-8")


def of_another_key(folder: Path) -> None:
    content = json.loads(record_path(folder).read_text(encoding="utf-8"))
    content["producer"]["key"] = "0" * 64
    write_json(record_path(folder), content)


DAMAGES: list[Callable[[Path], object]] = [
    torn,
    of_another_key,
    lambda folder: record_path(folder).unlink(),
    lambda folder: (folder / "counts.json").unlink(),
    lambda folder: (folder / "counts.json").write_text("{}", encoding="utf-8"),
    lambda folder: folder.rename(folder.with_name("moved")),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_no_longer_whole_is_not_finished(done: Outcome, damage: Callable[[Path], object]) -> None:
    damage(done.made[0].path)
    assert plan_for(*COUNT).finished is None


def test_a_result_that_is_missing_or_says_otherwise_is_not_finished(done: Outcome) -> None:
    assert done.attempt is not None
    for content in ({"status": "failed"}, {"status": "done", "outputs": []}, []):
        write_json(done.attempt.result, content)
        assert plan_for(*COUNT).finished is None
    done.attempt.result.unlink()
    assert plan_for(*COUNT).finished is None


def test_finished_elsewhere_is_not_finished_here(done: Outcome) -> None:
    assert plan_for(*COUNT, "output=here").finished is None


def refusals(*overrides: str) -> list[str]:
    return [problem.code for problem in plan_for(*COUNT, *overrides).problems]


def test_a_folder_with_something_else_is_refused(chat: Path, project: Path) -> None:
    (project / "mine").mkdir()
    assert refusals("output=mine") == []
    (project / "mine" / "thesis.txt").write_text("years of work", encoding="utf-8")
    assert refusals("output=mine") == ["NMT704"]
    assert refusals("output=.") == ["NMT704"]


def test_what_cannot_be_a_folder_is_refused(chat: Path, project: Path) -> None:
    (project / "file").write_text("x", encoding="utf-8")
    (project / "link").symlink_to(project / "nowhere")
    (project / "other link").symlink_to(project)
    for output in ("file", "file/below", "link", "link/below"):
        assert refusals(f"output={output}") == ["NMT704"]
    assert refusals("output=other link/new") == []


def test_a_folder_belongs_to_the_request_that_wrote_there_last(chat: Path, project: Path) -> None:
    run_step(*COUNT, "output=out")
    assert refusals("output=out") == []
    assert refusals("output=out", "minimum=2") == ["NMT704"]
    (project / "out").rename(project / "kept")
    run_step(*COUNT, "output=out", "minimum=2")
    assert refusals("output=out") == ["NMT704"]
    assert refusals("output=out", "minimum=2") == []


def test_a_folder_belongs_to_one_step(chat: Path, project: Path) -> None:
    run_step("test/trainer", "data=chat.jsonl", "output=out")
    before = tree_of(project)
    assert refusals("output=out") == ["NMT704"]
    assert tree_of(project) == before


def test_a_folder_that_was_filled_after_the_check_is_refused_too(chat: Path, project: Path) -> None:
    plan = plan_for(*COUNT, "output=out")
    (project / "out").mkdir()
    (project / "out" / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(Failure, match="NMT704"):
        runner.run(plan, Store.of_project(), Recorder())
    assert [path.name for path in (project / "out").iterdir()] == ["thesis.txt"]


def test_what_a_dead_attempt_left_is_moved_aside(chat: Path, project: Path) -> None:
    request, folder = request_for(*COUNT), project / "out"
    folder.mkdir()
    (folder / "half").write_text("half", encoding="utf-8")
    moved = outputs.clear_the_way(request, {"output": folder}, "0123456789abcdef")
    assert moved == [project / "out.unfinished-01234567"]
    assert (moved[0] / "half").read_text(encoding="utf-8") == "half"
    assert not folder.exists()


def test_a_resumable_step_goes_on_in_what_was_left(chat: Path, project: Path) -> None:
    folder = project / "out"
    folder.mkdir()
    (folder / "half").write_text("half", encoding="utf-8")
    request = request_for("test/trainer", "data=chat.jsonl")
    assert outputs.clear_the_way(request, {"output": folder}, "0123456789abcdef") == []
    assert (folder / "half").exists()


def told_by(project: Path, entries: object) -> Attempt:
    attempt = Attempt(project / "run" / "step" / "1")
    attempt.folder.mkdir(parents=True)
    write_json(attempt.outputs, entries)
    return attempt


def test_a_path_that_a_job_tells_is_relative_to_its_own_folder(chat: Path, project: Path) -> None:
    attempt = told_by(project, [{"port": "counts", "path": "made", "facts": None}])
    (attempt.folder / "made").mkdir()
    made = outputs.record_outputs(request_for(*COUNT), attempt, "key")
    assert [m.path for m in made] == [attempt.folder / "made"]


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [{"port": "other", "path": "made"}],
        [{"port": "counts"}],
        [{"port": "counts", "path": 3}],
        [None, "counts", {"port": ["counts"], "path": "made"}],
        [{"port": "counts", "path": "not there"}],
    ],
)
def test_an_output_that_was_not_made_or_not_told_of_is_named(
    chat: Path, project: Path, entries: list[object]
) -> None:
    attempt = told_by(project, entries)
    (attempt.folder / "made").mkdir()
    with pytest.raises(Failure, match="NMT803: the job made no 'counts'"):
        outputs.record_outputs(request_for(*COUNT), attempt, "key")


def test_measured_facts_are_names_and_numbers(chat: Path, project: Path) -> None:
    entry = {"port": "counts", "path": "made", "facts": {"documents": 2.5, "of no port": 1}}
    attempt = told_by(project, [entry])
    (attempt.folder / "made").mkdir()
    made = outputs.record_outputs(request_for(*COUNT), attempt, "key")
    assert made[0].record.facts == {"documents": "2.5", "language": "en"}
