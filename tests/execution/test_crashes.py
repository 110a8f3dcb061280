"""A pipeline's runner is killed, or its disk is full, at every boundary that it passes; then it is run again.

After each: the work is finished, no finished step ran twice, nothing half-written is taken for finished, no
process of the dead run is left.
"""

from __future__ import annotations

import json
import signal
from collections import Counter
from pathlib import Path

import pytest

from execution.crashes import STEPS, a_project, assert_recovers


@pytest.fixture(scope="module")
def boundaries(tmp_path_factory: pytest.TempPathFactory) -> int:
    """How many boundaries a run without a fault passes."""
    project = a_project(tmp_path_factory.mktemp("crashes") / "whole")
    assert project.run() == 0
    assert project.starts() == Counter(dict.fromkeys(STEPS, 1))
    return int((project.folder / "passed").read_text(encoding="utf-8"))


def test_a_runner_that_is_killed_at_any_boundary_is_gone_on_with(boundaries: int, tmp_path: Path) -> None:
    assert boundaries >= 50
    for number in range(1, boundaries + 1):
        project = a_project(tmp_path / f"kill-{number}")
        assert project.run(f"kill:{number}") == -signal.SIGKILL, number
        assert_recovers(project)


def test_a_disk_that_is_full_at_any_boundary_loses_nothing(boundaries: int, tmp_path: Path) -> None:
    for number in range(1, boundaries + 1):
        project = a_project(tmp_path / f"full-{number}")
        assert project.run(f"full:{number}") in (1, 3, 98), number
        assert_recovers(project)


def test_a_torn_record_is_not_taken_for_a_finished_one(tmp_path: Path) -> None:
    project = a_project(tmp_path / "torn")
    assert project.run() == 0
    for record in project.folder.glob("**/*artifact.json"):
        record.write_text(record.read_text(encoding="utf-8")[:40], encoding="utf-8")
    assert project.run() == 0
    assert project.starts() == Counter(dict.fromkeys(STEPS, 2))
    assert json.loads(next(project.folder.glob("**/*artifact.json")).read_text(encoding="utf-8"))
