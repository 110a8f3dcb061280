"""`nemotron env check`: a line for each thing, and an exit code that says whether all is there."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from catalogs.helpers import Nemotron
from envs import env_toml

from nemotron.cli.app import app

ENV = f"""
    [good]
    python = "{sys.executable}"

    [bad]
    extends = "good"
    setup = ["false"]

    [nothing]

    [far]
    executor = "slurm"
    host = "no-such-host.invalid"
    remote_job_dir = "/shared/me"
"""


@pytest.fixture(autouse=True)
def _profiles(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEMOTRON_ENV_FILE", raising=False)
    env_toml(project, ENV)


def check(*arguments: str) -> int:
    code: Any = app(["env", "check", *arguments], standalone_mode=False)
    return int(code or 0)


def test_all_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert check("good") == 0
    assert capsys.readouterr().out.startswith("ok      python  Python 3.")
    assert check("nothing") == 0


def test_what_is_missing_is_told_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert check("bad") == 3
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["failed", "setup"],
        ["fix:", "correct"],
        ["failed", "python"],
        ["fix:", "correct"],
    ]


def test_the_same_as_data(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check("bad", "--json") == 3
    told = json.loads(capsys.readouterr().out)
    assert (told["profile"], told["exit_code"]) == ("bad", 3)
    assert [(each["what"], each["ok"]) for each in told["checks"]] == [("setup", False), ("python", False)]
    assert [problem["code"] for problem in told["diagnostics"]] == ["NMT627", "NMT627"]
    assert told["diagnostics"][0]["where"] == {"file": str(project / "env.toml"), "line": 6, "column": 1}


def test_a_host_that_does_not_answer_is_exit_4(nemotron: Nemotron) -> None:
    ended = nemotron("env", "check", "far")
    assert ended.returncode == 4
    assert "NMT650" in ended.stderr
    assert "ssh no-such-host.invalid" in ended.stderr
