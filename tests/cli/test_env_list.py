"""`nemotron env list`: what is at hand, and what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from envs import env_toml
from small import write

from nemotron.cli.app import app

ENV = """
    [here]

    [cluster]
    executor = "slurm"
    host = "login"
    remote_job_dir = "/shared/me"
    nodes = 2
    gpus_per_node = 8
    gpu = "h100"
    libraries = ["automodel", "nemo_rl"]

    [cloud]
    executor = "lepton"

    [wrong]
    node = 1
"""


@pytest.fixture(autouse=True)
def _no_file_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEMOTRON_ENV_FILE", raising=False)


def test_profiles_are_listed_with_what_they_have(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    env_toml(project, ENV)
    write(project / "env.more.toml", "[more]\n")
    app(["env", "list"], standalone_mode=False)
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [
        "here     local  (env.toml)",
        "cluster  slurm at login · 2 × 8 h100 · automodel, nemo_rl  (env.toml)",
        "cloud    lepton  (env.toml)",
        "wrong    cannot be used  (env.toml)",
        "more     local  (env.more.toml)",
    ]
    assert "error[NMT615]" in shown.err
    assert "blocked[NMT619]" in shown.err


def test_the_same_as_data(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = env_toml(project, ENV)
    app(["env", "list", "--json"], standalone_mode=False)
    told = json.loads(capsys.readouterr().out)
    assert [(entry["name"], entry["usable"]) for entry in told["profiles"]] == [
        ("here", True),
        ("cluster", True),
        ("cloud", False),
        ("wrong", False),
    ]
    assert told["profiles"][1] == {
        "name": "cluster",
        "file": str(file),
        "usable": True,
        "extends": None,
        "executor": "slurm",
        "nodes": 2,
        "gpus_per_node": 8,
        "gpu": "h100",
        "host": "login",
        "libraries": ["automodel", "nemo_rl"],
    }
    assert [problem["code"] for problem in told["diagnostics"]] == ["NMT619", "NMT615"]


def test_without_any_it_says_how_to_make_one(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app(["env", "list"], standalone_mode=False)
    assert "nemotron steps run env/env_toml" in capsys.readouterr().out
