"""`nemotron library list` and `install`: what they say; that they install is tested in tests/libraries."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from catalogs.helpers import Nemotron


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NEMOTRON_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("NEMOTRON_AUTOMODEL_PYTHON", raising=False)
    return tmp_path / "cache"


def test_a_library_that_is_not_installed_comes_with_the_command(
    nemotron: Nemotron, empty_cache: Path
) -> None:
    ended = nemotron("library", "list")
    assert ended.returncode == 0
    assert "not installed: nemotron library install automodel" in ended.stdout
    told = json.loads(nemotron("library", "list", "--json").stdout)
    assert {entry["name"]: entry["installed"] for entry in told["libraries"]}["automodel"] is False


def test_an_installed_library_says_with_which_torch(nemotron: Nemotron, automodel_python: Path) -> None:
    told = json.loads(nemotron("library", "list", "--json").stdout)
    entry = next(entry for entry in told["libraries"] if entry["name"] == "automodel")
    assert entry["installed"] is True
    assert (
        f"installed: torch {entry['torch']}, Python {entry['python_version']}"
        in nemotron("library", "list").stdout
    )


def test_an_unknown_library_is_an_error_with_the_nearest(nemotron: Nemotron, empty_cache: Path) -> None:
    ended = nemotron("library", "install", "automodle", "--json")
    problem = json.loads(ended.stdout)["diagnostics"][0]
    assert (ended.returncode, problem["code"]) == (2, "NMT607")
    assert "automodel" in problem["fix"]
    assert not empty_cache.exists()


def test_a_library_must_be_named(nemotron: Nemotron, empty_cache: Path) -> None:
    ended = nemotron("library", "install")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "name" in ended.stderr.lower()
