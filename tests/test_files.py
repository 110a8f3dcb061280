"""Files of the user's: where they lie, and that one is written whole or not at all."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from nemotron.files import NoHome, cache_folder, home, project_root, write_atomic


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"NEMOTRON_CACHE": "/a", "XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/a"),
        ({"XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/b/nemotron"),
        ({"NEMOTRON_CACHE": "", "XDG_CACHE_HOME": "", "HOME": "/c"}, "/c/.cache/nemotron"),
    ],
)
def test_the_cache_is_where_the_user_says(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    for name in ("NEMOTRON_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert str(cache_folder()) == expected


def test_without_a_home_there_is_a_cache_only_where_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_user: int) -> None:
        raise KeyError("no such user")

    for name in ("NEMOTRON_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert home() is None
    with pytest.raises(NoHome):
        cache_folder()
    monkeypatch.setenv("NEMOTRON_CACHE", "/a")
    assert str(cache_folder()) == "/a"


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    file = tmp_path / "f"
    write_atomic(file, "first")
    with open(file, encoding="utf-8") as reader:
        write_atomic(file, "sécond")
        assert reader.read() == "first"
    assert file.read_text(encoding="utf-8") == "sécond"
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "f"
    write_atomic(file, "first")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomic(file, "second")
    assert file.read_text(encoding="utf-8") == "first"
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


@pytest.mark.parametrize(
    ("marks", "root"),
    [
        (["a/.nemotron", "a/b/pyproject.toml"], "a"),
        (["a/.nemotron", "a/b/.nemotron"], "a/b"),
        (["a/pyproject.toml", "a/b/c/.git"], "a/b/c"),
        (["a/b/pyproject.toml", "a/.git"], "a/b"),
    ],
)
def test_the_project_is_the_nearest_folder_with_a_mark(tmp_path: Path, marks: list[str], root: str) -> None:
    start = tmp_path / "a" / "b" / "c"
    start.mkdir(parents=True)
    for mark in marks:
        (tmp_path / mark).mkdir()
    assert project_root(start) == tmp_path / root


def test_the_project_is_sought_from_the_working_directory(project: Path) -> None:
    assert project_root() == project
