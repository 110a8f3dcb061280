"""`--run` on a profile of this machine: its Python, set-up commands and variables reach the jobs."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from catalogs.helpers import Nemotron, attempts
from catalogs.pipelines import Branches
from envs import env_toml


@pytest.fixture
def python(project: Path) -> Path:
    """A Python that says which variable it was started with."""
    program = project / "python.sh"
    program.write_text(f'#!/bin/sh\necho "A is $A, B is $B"\nexec {sys.executable} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return program


@pytest.fixture
def here(project: Path, python: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("NEMOTRON_ENV_FILE", raising=False)
    text = f"""
        [base]
        gpus_per_node = 0
        python = "{python}"
        setup = ["B='set up'", "export B"]
        env_vars = {{ A = "of the profile" }}

        [here]
        extends = "base"
    """
    return env_toml(project, text)


@pytest.mark.usefixtures("chat", "here")
def test_a_step_runs_as_its_profile_says(nemotron: Nemotron, project: Path, python: Path) -> None:
    ended = nemotron("steps", "run", "test/word_count", "data=chat.jsonl", "--run", "here", "--json")
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert (told["profile"], told["status"], told["nodes"]) == ("here", "done", 1)
    assert "profile  here" in ended.stderr
    assert "A is of the profile, B is set up" in ended.stderr
    (attempt,) = attempts(project)
    command = json.loads((attempt / "command.json").read_text(encoding="utf-8"))
    assert command["argv"][0] == "bash"
    assert str(python) in command["argv"]
    assert command["env_vars"] == {"A": "of the profile"}
    again = nemotron("steps", "run", "test/word_count", "data=chat.jsonl", "--run", "here")
    assert "Nothing to do" in again.stdout


@pytest.mark.usefixtures("chat", "here")
def test_a_dry_run_checks_the_profile_and_runs_nothing(nemotron: Nemotron, project: Path) -> None:
    asked = ("steps", "run", "test/word_count", "data=chat.jsonl", "--run", "here", "--dry-run")
    assert nemotron(*asked).returncode == 0
    ended = nemotron(*asked, "--gpus", "2", "--json")
    assert ended.returncode == 2
    codes = [problem["code"] for problem in json.loads(ended.stdout)["diagnostics"]]
    assert "NMT623" in codes
    assert not (project / ".nemotron" / "runs").exists()


def test_a_run_goes_on_with_the_profile_that_it_was_started_on(
    nemotron: Nemotron, project: Path, branches: Branches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NEMOTRON_ENV_FILE", raising=False)
    env_toml(project, "[here]\nsetup = ['echo not yet', 'false']\n")
    ended = nemotron("pipeline", "run", str(branches.file), "--run", "here", env=dict(os.environ))
    assert ended.returncode == 1
    assert "--run here" in ended.stdout
    env_toml(project, "[here]\nsetup = ['echo now']\n")
    resumed = nemotron("runs", "resume", "last")
    assert resumed.returncode == 0, resumed.stderr
    logs = [(attempt / "log").read_text(encoding="utf-8") for attempt in attempts(project)]
    assert sum("not yet" in log for log in logs) == 1
    assert sum("now" in log for log in logs) == 4
