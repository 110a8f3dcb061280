"""The command of a job: an argv list, and an environment with our package and nothing else of ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from catalogs.helpers import request_for
from envs import profile

from nemotron.execution import command
from nemotron.execution.interpreter import Interpreter
from nemotron.execution.processes import MARK
from nemotron.planning.resolve import on_profile

PYTHON = Interpreter(Path("/lib/python"), "digest", {"PATH": "/lib/bin:/bin"})


def test_a_python_step_is_started_as_a_program(fake_steps: Path) -> None:
    request = request_for("test/trainer")
    assert command.argv(request, Path("/a python"), Path("/x/config.yaml")) == [
        "/a python",
        str(fake_steps / "test" / "trainer" / "step.py"),
        "--config",
        "/x/config.yaml",
    ]


@pytest.mark.parametrize(("gpus", "processes"), [(0, "1"), (1, "1"), (8, "8")])
def test_a_torchrun_step_has_a_process_for_each_gpu_and_at_least_one(gpus: int, processes: str) -> None:
    argv = command.argv(request_for("sft/automodel", gpus=gpus), Path("/p"), Path("/c.yaml"))
    assert argv[:6] == ["/p", "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", processes]
    assert argv[-2:] == ["--config", "/c.yaml"]


def test_a_job_gets_its_mark_its_variables_and_the_library_s_path(
    fake_steps: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/of/the/user")
    monkeypatch.setenv("VIRTUAL_ENV", "/of/the/command/line")
    monkeypatch.setenv("SIGNING_TOKEN", "quite secret")
    request = request_for("test/sign", "run.env_vars.PLAIN=1", "run.env_vars.PATH=/mine")
    environment = command.environment(request, PYTHON, tmp_path / "code", "abc")
    assert environment[MARK] == "abc"
    assert environment["PYTHONPATH"] == f"{tmp_path / 'code'}:/of/the/user"
    assert "VIRTUAL_ENV" not in environment
    assert (environment["PLAIN"], environment["PATH"]) == ("1", "/mine")
    assert environment["SIGNING_SECRET"] == "quite secret"


def test_of_our_packages_a_job_sees_one(tmp_path: Path) -> None:
    code = command.link_code(tmp_path)
    assert command.link_code(tmp_path) == code
    assert [path.name for path in code.iterdir()] == ["nemotron"]
    argv = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        f"import sys; sys.path.insert(0, {str(code)!r}); import nemotron.files",
    ]
    subprocess.run(argv, check=True)


def test_secrets_that_are_not_set_are_named_with_the_places_that_refer_to_them(
    fake_steps: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SIGNING_TOKEN", raising=False)
    found = command.unset_variables(request_for("test/sign"))
    assert [problem.code for problem in found] == ["NMT610", "NMT610"]
    assert [problem.where.line if problem.where else None for problem in found] == [4, 7]
    assert all("SIGNING_TOKEN" in problem.summary for problem in found)


def test_a_secret_that_is_set_here_or_by_the_config_is_not_missed(
    fake_steps: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGNING_TOKEN", "x")
    request = request_for("test/sign", "signing.token=${oc.env:SIGNING_SECRET}")
    assert command.unset_variables(request) == []


def test_set_up_commands_change_the_environment_that_the_job_then_gets(fake_steps: Path) -> None:
    on = profile(setup=["A='set up'", "export A"])
    argv = command.argv(on_profile(request_for("test/trainer"), on), Path("env"), Path("/c.yaml"))
    shell, program = argv[:4], argv[4:]
    assert program[0] == "env"
    done = subprocess.run(
        [*shell, "sh", "-c", 'echo "$A $1"', "-", 'it\'s "1"'], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, 'set up it\'s "1"\n')


def test_a_set_up_command_that_fails_ends_the_job(fake_steps: Path) -> None:
    done = subprocess.run([*command.after_setup(["false", "true"]), "echo", "started"], capture_output=True)
    assert (done.returncode, done.stdout) == (1, b"")
