"""`nemotron env show`: every key that is set, where it was set, and no secret."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from envs import env_toml

from nemotron.cli.app import app

ENV = """
    [site]
    executor = "slurm"
    remote_job_dir = "/shared/me"
    mounts = ["/a:/b", "/c"]
    setup = ["module load a", "export HF_TOKEN=hf_abcdefghijklmnopqrstuvwx"]

    [site.env_vars]
    A = "site"
    NAME = "tab\\tand \\"quotes\\""

    [mine]
    extends = "site"
    nodes = 2
    env_vars = { A = "mine" }
"""


@pytest.fixture(autouse=True)
def _profiles(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEMOTRON_ENV_FILE", raising=False)
    env_toml(project, ENV)


def show(*arguments: str) -> int:
    code: Any = app(["env", "show", *arguments], standalone_mode=False)
    return int(code or 0)


def test_what_is_shown_is_toml_with_the_line_that_set_each_value(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show("mine")
    shown = capsys.readouterr().out
    read = tomllib.loads(shown)["mine"]
    assert read["env_vars"] == {"A": "mine", "NAME": 'tab\tand "quotes"'}
    assert (read["executor"], read["nodes"], read["mounts"]) == ("slurm", 2, ["/a:/b", "/c"])
    places = dict(line.rsplit("  # ", 1) for line in shown.splitlines()[1:])
    lines = {line.split(" ")[0]: place for line, place in places.items()}
    assert lines["executor"] == "env.toml:2"
    assert lines["nodes"] == "env.toml:13"
    assert (lines["env_vars.A"], lines["env_vars.NAME"]) == ("env.toml:14", "env.toml:9")


def test_a_secret_is_hidden_and_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert show("mine") == 2
    shown = capsys.readouterr()
    assert "hf_abc" not in shown.out + shown.err
    assert "NMT720" in shown.err


def test_the_same_as_data(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show("mine", "--json")
    told = json.loads(capsys.readouterr().out)
    assert "hf_abc" not in json.dumps(told)
    assert told["profile"] == "mine"
    assert told["keys"]["nodes"] == {"value": 2, "where": f"{project / 'env.toml'}:13:1"}
    assert [problem["code"] for problem in told["diagnostics"]] == ["NMT720"]


def test_a_profile_that_nothing_runs_on_yet_can_be_shown(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    env_toml(project, "[cloud]\nexecutor = 'lepton'\n")
    assert show("cloud") == 0
    shown = capsys.readouterr()
    assert 'executor = "lepton"' in shown.out
    assert "NMT619" in shown.err
