"""The run store: plain files, whole or not there, the newest first."""

from __future__ import annotations

from pathlib import Path

import pytest

from nemotron.execution.store import Run, Store, read_json, write_json


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / ".nemotron")


def attempt_at(store: Store, step: str, **told: object) -> Run:
    run = store.new_run(step, "version: 1\n")
    write_json(run.new_attempt(step).command, {"step": step, **told})
    return run


def test_the_newest_attempt_comes_first_even_within_one_second(store: Store) -> None:
    runs = [attempt_at(store, "test/one", number=number) for number in range(20)]
    found = [(attempt.run_id, told["number"]) for attempt, told in store.attempts("test/one")]
    assert found == [(run.id, number) for number, run in reversed(list(enumerate(runs)))]


def test_attempts_at_any_step_are_in_one_order(store: Store) -> None:
    steps = ["test/b", "test/a", "test/c", "test/a"]
    for step in steps:
        attempt_at(store, step)
    assert [told["step"] for _, told in store.attempts()] == steps[::-1]


def test_attempts_of_one_run_are_counted_up(store: Store) -> None:
    run = store.new_run("test/one", "")
    assert [run.new_attempt("test/one").name for _ in range(11)] == [str(n) for n in range(1, 12)]


def test_what_is_no_whole_attempt_is_passed_over(store: Store) -> None:
    whole = attempt_at(store, "test/one")
    torn = store.new_run("test/one", "").new_attempt("test/one")
    torn.command.write_text('{"step": "te', encoding="utf-8")
    copy = whole.folder / "test-one" / "1 (copy)"
    copy.mkdir()
    write_json(copy / "command.json", {})
    assert [attempt.run_id for attempt, _ in store.attempts("test/one")] == [whole.id]


def test_a_store_without_runs_has_no_attempts(store: Store) -> None:
    assert list(store.attempts()) == []


def test_the_store_keeps_itself_out_of_git_once(store: Store) -> None:
    store.new_run("test/one", "")
    ignore = store.root / ".gitignore"
    assert ignore.read_text(encoding="utf-8") == "*\n"
    ignore.write_text("mine\n", encoding="utf-8")
    store.new_run("test/one", "")
    assert ignore.read_text(encoding="utf-8") == "mine\n"


def test_a_run_keeps_its_pipeline(store: Store) -> None:
    run = store.new_run("test/one", "version: 1\n")
    assert (run.folder / "pipeline.yaml").read_text(encoding="utf-8") == "version: 1\n"


@pytest.mark.parametrize("content", ["", "{", '{"a": ', "\x00"])
def test_a_torn_file_reads_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content, encoding="utf-8")
    assert read_json(tmp_path / "a.json") is None
    assert read_json(tmp_path / "absent.json") is None


def test_writing_leaves_nothing_but_the_file(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"größe": 1})
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
    assert read_json(tmp_path / "a.json") == {"größe": 1}


def test_writing_that_fails_keeps_what_was_there(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", [1])
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", [object()])
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
    assert read_json(tmp_path / "a.json") == [1]


def test_the_store_is_in_the_project_that_the_working_directory_is_in(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(project / "a" / "b")
    assert Store.of_project().root == project / ".nemotron"
