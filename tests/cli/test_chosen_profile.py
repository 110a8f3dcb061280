"""`--run` and `--batch`: which profile, and which of the two."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from catalogs.helpers import Nemotron
from envs import env_toml
from small import failure

from nemotron.cli.chosen_profile import chosen_profile

ENV = "[here]\n[cluster]\nexecutor = 'slurm'\nremote_job_dir = '/shared/me'\n"


@pytest.fixture(autouse=True)
def _profiles(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEMOTRON_ENV_FILE", raising=False)
    env_toml(project, ENV)


@pytest.mark.parametrize(
    ("attached", "batch", "name"),
    [(None, None, None), ("here", None, "here"), ("cluster", None, "cluster"), (None, "cluster", "cluster")],
)
def test_either_option_names_the_profile(attached: str | None, batch: str | None, name: str | None) -> None:
    found = chosen_profile(attached, batch)
    assert (found and found.name) == name


def test_a_batch_run_on_this_machine_is_refused_with_the_way_to_run_it() -> None:
    problem = failure(lambda: chosen_profile(None, "here"))
    assert (problem.code, problem.severity, problem.fix) == ("NMT626", "error", "--run here")


@pytest.mark.parametrize("command", [["steps", "run", "env/env_toml"], ["pipeline", "run", "p.yaml"]])
def test_the_two_exclude_each_other(nemotron: Nemotron, project: Path, command: list[str]) -> None:
    (project / "p.yaml").write_text("version: 1\nsteps:\n  a: {step: env/env_toml}\n", encoding="utf-8")
    ended = nemotron(*command, "--run", "here", "--batch", "cluster", env=dict(os.environ))
    assert ended.returncode == 2
    assert "exclude each other" in ended.stderr
