"""The command line is killed at some of the boundaries that it passes; the same command goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from execution.crashes import CHAIN, STEPS, Project, a_project


def run(project: Project, fault: str = "") -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "CHAIN_LOG": str(project.log),
        "NEMOTRON_FAULT": fault,
        "NEMOTRON_STEPS_PATH": str(CHAIN),
    }
    argv = [sys.executable, "-m", "nemotron", "pipeline", "run", "p.yaml"]
    return subprocess.run(
        argv, cwd=project.folder, env=environment, capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize("number", range(4, 80, 8))
def test_the_same_command_goes_on_after_a_kill(tmp_path: Path, number: int) -> None:
    project = a_project(tmp_path / "project")
    (project.folder / ".nemotron").mkdir()
    assert run(project, f"kill:{number}").returncode == -signal.SIGKILL
    finished, starts = project.finished(), project.starts()
    again = run(project)
    assert again.returncode == 0, again.stderr
    assert {name: project.starts()[name] for name in finished} == {name: starts[name] for name in finished}
    assert project.finished() == set(STEPS)
    assert again.stdout.count(": skipped") + again.stdout.count("skipped: ") >= len(finished)


def test_a_full_disk_is_named_and_nothing_is_lost(tmp_path: Path) -> None:
    project = a_project(tmp_path / "project")
    (project.folder / ".nemotron").mkdir()
    full = run(project, "full:30")
    assert full.returncode in (1, 3)
    assert "NMT640" in full.stderr or "No space left" in full.stderr
    assert run(project).returncode == 0
    assert project.starts() <= Counter(dict.fromkeys(STEPS, 2))
