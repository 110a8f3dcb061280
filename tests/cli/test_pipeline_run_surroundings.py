"""Odd surroundings: names that a shell or a page would trip over, folders that cannot be written, clocks."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from catalogs.helpers import Nemotron
from catalogs.pipelines import Branches, run_branches, statuses

from nemotron.execution import store
from nemotron.execution.store import Store

ODD = """it's a "name" $(touch pwned) `touch pwned` ; & | <b> 名前 ünï\ntwo lines"""


@pytest.fixture
def odd(branches: Branches, project: Path) -> Path:
    """The project in a folder of an odd name; its data, its pipeline and an output are called so too."""
    home = project / ODD
    home.mkdir()
    (project / "chat.jsonl").rename(home / f"{ODD}.jsonl")
    branches.change("left", output=f"{ODD} out")
    text = branches.file.read_text(encoding="utf-8")
    (home / "branches.yaml").write_text(
        text.replace("path: chat.jsonl", f"path: {json.dumps(ODD + '.jsonl')}"), encoding="utf-8"
    )
    (home / ".nemotron").mkdir()
    return home


def test_a_path_with_quotes_newlines_and_commands_works_from_check_to_report(
    odd: Path, nemotron: Nemotron, project: Path
) -> None:
    def told(*arguments: str) -> dict[str, Any]:
        done = nemotron(*arguments, "--json", cwd=odd)
        assert done.returncode == 0, done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    told("pipeline", "check", "branches.yaml")
    ran = told("pipeline", "run", "branches.yaml")
    assert {step["status"] for step in ran["steps"]} == {"done"}
    made = Path(ran["steps"][1]["artifacts"]["records"])
    assert made.parent == odd / f"{ODD} out"
    assert told("artifacts", "show", str(made))["path"] == str(made)
    assert told("runs", "show", "last")["status"] == "done"
    assert "<b> 名前" not in Path(ran["report"]).read_text(encoding="utf-8")
    again = told("pipeline", "run", "branches.yaml")
    assert {step["status"] for step in again["steps"]} == {"skipped"}
    assert list(project.rglob("pwned")) == []


@pytest.fixture
def sealed(project: Path) -> Iterator[Path]:
    """A folder that nobody may write to, not even root: it is mounted so."""
    folder = project / "sealed"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        folder.chmod(0o500)
        if os.access(folder, os.W_OK):
            pytest.skip("a folder cannot be sealed here: root, without the right to mount")
    yield folder
    subprocess.run(["umount", str(folder)], capture_output=True)
    folder.chmod(0o700)


def test_an_output_in_a_read_only_folder_is_named_and_loses_nothing(
    branches: Branches, nemotron: Nemotron, sealed: Path
) -> None:
    branches.change("left", output=str(sealed / "out"))
    done = nemotron("pipeline", "run", "branches.yaml", "--keep-going", "--json")
    told = json.loads(done.stdout)
    assert done.returncode in (2, 3), done.stderr
    assert {step["name"]: step["status"] for step in told["steps"]} == {
        "first": "done",
        "left": "not run",
        "left_count": "not run",
        "right": "done",
    }
    assert str(sealed / "out") in json.dumps(told["diagnostics"])
    branches.change("left", output=None)
    again = run_branches(branches)
    assert statuses(again) == {"first": "skipped", "left": "done", "left_count": "done", "right": "skipped"}


def test_a_store_in_a_read_only_folder_is_a_clear_refusal(
    branches: Branches, nemotron: Nemotron, sealed: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / ".nemotron").rmdir()
    (project / ".nemotron").symlink_to(sealed)
    ended = nemotron("pipeline", "run", "branches.yaml")
    assert ended.returncode == 3
    assert "blocked[NMT641]" in ended.stderr
    assert "Traceback" not in ended.stderr


class _SetBack(datetime):
    """A clock that shows the year 2001."""

    @classmethod
    def now(cls, tz: object = None) -> datetime:
        return datetime(2001, 1, 1, tzinfo=UTC) + timedelta(microseconds=1)


def test_a_clock_that_is_set_back_changes_neither_the_order_nor_what_is_skipped(
    branches: Branches, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run_branches(branches)
    branches.change("left", times=5, output="out")
    second = run_branches(branches)
    monkeypatch.setattr(store, "datetime", _SetBack)
    branches.change("left", times=6, output="elsewhere")
    third = run_branches(branches)
    fourth = run_branches(branches)
    runs = [first.run.id, second.run.id, third.run.id, fourth.run.id]
    assert [run.id for run in Store.of_project().all_runs()] == runs[::-1]
    assert statuses(third)["left"] == "done"
    assert set(statuses(fourth).values()) == {"skipped"}
    assert {step.outcome.seconds >= 0 for step in third.steps if step.outcome} == {True}
