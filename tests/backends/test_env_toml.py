"""env/env_toml: what it writes are profiles, and nothing is written over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from catalogs.helpers import run_step
from step_errors import recognised

from nemotron.artifacts.record import read_record
from nemotron.execution.runner import Outcome
from nemotron.execution.store import read_json
from nemotron.profiles.load import load_profile, profiles_at_hand

ANSWERS = ("slurm.host=login", "slurm.account=a", "slurm.partition=gpu", "slurm.remote_job_dir=/shared/me")
SLURM = tuple(f"sections.{answer}" for answer in ANSWERS)


@pytest.fixture(autouse=True)
def _in_a_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEMOTRON_ENV_FILE", raising=False)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "")


def write(*overrides: str, config: str = "default") -> Outcome:
    return run_step("env/env_toml", *overrides, config=config)[0]


def error_of(outcome: Outcome) -> dict[str, Any]:
    assert outcome.status == "failed"
    assert outcome.attempt is not None
    told: dict[str, Any] = read_json(outcome.attempt.error)
    return told


def test_the_default_writes_this_machine(project: Path) -> None:
    outcome = write()
    assert outcome.status == "done"
    assert load_profile("local").is_local
    (made,) = outcome.made
    assert made.path.read_text(encoding="utf-8") == (project / "env.toml").read_text(encoding="utf-8")
    record = read_record(made.path)
    assert record is not None
    assert record.type == "env_toml"


def test_answers_become_profiles_that_load_with_what_they_extend(project: Path) -> None:
    assert write(*SLURM, config="slurm").status == "done"
    gpu, cpu = load_profile("slurm"), load_profile("slurm_cpu")
    assert gpu.file == project / "env.slurm.toml"
    assert (gpu.host, gpu.remote_job_dir, gpu.time_seconds, gpu.gpus) == ("login", "/shared/me", 14400, 8)
    assert (cpu.account, cpu.gpus, cpu.exclusive, cpu.mem) == ("a", 0, False, "64G")
    assert (gpu.container_image, gpu.secrets) == (None, ("HF_TOKEN",))


@pytest.mark.parametrize("cloud", ["lepton", "dgxcloud"])
def test_a_profile_of_an_executor_to_come_can_be_written(cloud: str) -> None:
    answers = [f"sections.{cloud}.container_image=image", f"sections.{cloud}.remote_job_dir=/shared"]
    assert write(*answers, config=cloud).status == "done"
    entry = next(each for each in profiles_at_hand() if each.name == cloud)
    assert [problem.code for problem in entry.problems] == ["NMT619"]


def test_a_file_that_is_there_is_never_written_over_without_force(project: Path) -> None:
    own = project / "env.toml"
    own.write_text("# mine\n", encoding="utf-8")
    error = error_of(write())
    assert (error["code"], error["file"]) == ("NMT629", str(own))
    assert own.read_text(encoding="utf-8") == "# mine\n"
    assert write("force=true").status == "done"
    assert load_profile("local").file == own


def test_the_same_answers_again_are_no_harm(project: Path) -> None:
    write()
    written = (project / "env.toml").read_text(encoding="utf-8")
    assert write("output_dir=again").status == "done"
    assert (project / "env.toml").read_text(encoding="utf-8") == written


def test_what_is_no_profile_is_not_put_in_place(project: Path) -> None:
    error = error_of(write("sections.local.node=2"))
    assert (error["code"], error["fix"]) == ("NMT615", "did you mean 'nodes'?")
    assert error_of(write("sections.local.extends=site"))["code"] == "NMT617"
    assert not (project / "env.toml").exists()


def test_the_manifests_known_errors_are_those_of_the_job() -> None:
    denied = {"code": "", "summary": "PermissionError: [Errno 13] Permission denied: 'env.toml'"}
    assert recognised("env/env_toml", denied) == ["folder_not_writable"]
