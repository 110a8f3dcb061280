"""`artifact.json`: written whole, read only when whole, and whether the files fit it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small import record, sha256, write

from nemotron.artifacts.digest import content_digest
from nemotron.artifacts.record import as_json, is_complete, read_record, record_file, record_path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "made" / "a", "1")
    return write(tmp_path / "made" / "sub" / "b", "22").parent.parent


def test_a_record_says_what_the_artifact_is(folder: Path) -> None:
    assert record(folder, "packs", port="out", pack_size=512) == folder / "artifact.json"
    read = read_record(folder)
    assert read is not None
    assert (read.type, read.port, read.facts, read.digest) == (
        "packs",
        "out",
        {"pack_size": 512},
        content_digest(folder),
    )
    assert [(f.path, f.size, f.sha256) for f in read.files] == [
        ("a", 1, sha256("1")),
        ("sub/b", 2, sha256("22")),
    ]
    assert (read.producer.step, read.version) == ("a/b", 1)
    assert json.loads((folder / "artifact.json").read_text(encoding="utf-8")) == json.loads(
        json.dumps(as_json(read))
    )


def test_writing_leaves_nothing_else_behind(folder: Path) -> None:
    record(folder, "packs")
    record(folder, "packs")
    assert sorted(p.name for p in folder.iterdir()) == ["a", "artifact.json", "sub"]


def test_a_file_is_found_through_the_folder_that_lists_it(folder: Path) -> None:
    record(folder, "packs")
    assert read_record(folder / "a") == read_record(folder)
    assert record_file(folder / "a") == record_file(folder) == folder / "artifact.json"
    assert read_record(write(folder / "later", "x")) is None
    assert read_record(folder / "sub" / "b") is None


def test_a_files_own_record_comes_first(folder: Path) -> None:
    record(folder, "packs")
    own = record(folder / "a", "scores")
    found = read_record(folder / "a")
    assert own == record_path(folder / "a") == folder / "a.artifact.json"
    assert found is not None
    assert found.type == "scores"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"version": 1, "type": "packs"}'])
def test_a_torn_or_foreign_file_is_no_record(folder: Path, text: str) -> None:
    write(folder / "artifact.json", text)
    assert read_record(folder) is None
    assert read_record(folder / "a") is None
    assert record_file(folder / "a") is None


def test_what_a_later_version_adds_is_left_aside(folder: Path) -> None:
    file = record(folder, "packs")
    table = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**table, "later": 1}), encoding="utf-8")
    read = read_record(folder)
    assert read is not None
    assert "later" not in as_json(read)


@pytest.mark.parametrize(
    ("change", "by_size", "by_content"),
    [(None, True, True), ("1x", False, False), ("2", True, False), ("gone", False, False)],
)
def test_an_artifact_is_complete_while_its_files_are(
    folder: Path, change: str | None, by_size: bool, by_content: bool
) -> None:
    record(folder, "packs")
    read = read_record(folder)
    assert read is not None
    if change == "gone":
        (folder / "a").unlink()
    elif change is not None:
        write(folder / "a", change)
    assert is_complete(folder, read) is by_size
    assert is_complete(folder, read, verify=True) is by_content
    assert is_complete(folder / "sub" / "..", read) is by_size


def test_a_listed_file_is_complete_when_the_whole_is(folder: Path) -> None:
    record(folder, "packs")
    read = read_record(folder / "a")
    assert read is not None
    assert is_complete(folder / "a", read)
    write(folder / "sub" / "b", "333")
    assert not is_complete(folder / "a", read)
