"""Secrets: a config names a variable; its value reaches the job and nothing else."""

from __future__ import annotations

import hmac
import json
from pathlib import Path

import pytest
import yaml
from catalogs.helpers import Nemotron, attempts

SIGN = ("steps", "run", "test/sign", "data=chat.jsonl", "output=out")
SECRET = "hf_" + "Zq7w" * 8
PLAIN = "correct horse battery staple"


def everything_below(folder: Path) -> bytes:
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return b"".join(path.read_bytes() for path in files)


@pytest.mark.parametrize("secret", [SECRET, PLAIN])
def test_a_secret_reaches_the_job_and_is_written_and_shown_nowhere(
    nemotron: Nemotron, chat: Path, project: Path, secret: str
) -> None:
    ended = nemotron(*SIGN, env={"SIGNING_TOKEN": secret})
    assert ended.returncode == 0
    records = chat.read_bytes().splitlines()
    signatures = [hmac.new(secret.encode(), record, "sha256").hexdigest() for record in records]
    for name in ("config", "environment"):
        assert json.loads((project / "out" / f"{name}.json").read_text(encoding="utf-8")) == signatures
    attempt = attempts(project)[0]
    config = yaml.safe_load((attempt / "config.yaml").read_text(encoding="utf-8"))
    assert config["signing"]["token"] == "${oc.env:SIGNING_TOKEN}"
    assert secret.encode() not in everything_below(project)
    assert secret not in ended.stdout + ended.stderr


def test_a_secret_that_was_used_once_is_not_needed_to_skip_but_to_run(nemotron: Nemotron, chat: Path) -> None:
    nemotron(*SIGN, env={"SIGNING_TOKEN": PLAIN})
    assert "Skipped" in nemotron(*SIGN, env={"SIGNING_TOKEN": "another"}).stderr


def test_a_default_for_a_secret_is_used_when_there_is_none(
    nemotron: Nemotron, chat: Path, project: Path
) -> None:
    ended = nemotron(*SIGN, "signing.token=${oc.env:NO_SUCH_TOKEN,none}", "~run")
    assert ended.returncode == 0
    config = yaml.safe_load((attempts(project)[0] / "config.yaml").read_text(encoding="utf-8"))
    assert config["signing"]["token"] == "none"


@pytest.mark.parametrize(
    "argument", [f"signing.token={SECRET}", f"run.env_vars.SIGNING_SECRET={SECRET}", f"api_key={PLAIN}"]
)
def test_a_literal_secret_is_refused_and_written_and_shown_nowhere(
    nemotron: Nemotron, chat: Path, project: Path, argument: str
) -> None:
    ended = nemotron(*SIGN, argument, "--json", env={"SIGNING_TOKEN": "x"})
    assert ended.returncode == 2
    assert "NMT701" in ended.stderr
    secret = argument.split("=")[1]
    assert secret not in ended.stdout + ended.stderr
    assert secret.encode() not in everything_below(project)


def test_a_literal_secret_in_a_config_is_refused_without_showing_its_line(
    nemotron: Nemotron, chat: Path, project: Path, fake_steps: Path
) -> None:
    defaults = fake_steps / "test" / "sign" / "config" / "default.yaml"
    (project / "mine.yaml").write_text(
        f"defaults: {defaults}\nsigning: {{token: {SECRET}}}\n", encoding="utf-8"
    )
    ended = nemotron(*SIGN, "-c", "mine.yaml", "--json", env={"SIGNING_TOKEN": "x"})
    assert ended.returncode == 2
    assert "mine.yaml:2:11" in ended.stderr
    assert SECRET not in ended.stdout + ended.stderr


def test_a_token_in_a_job_s_log_is_not_shown(nemotron: Nemotron, fake_steps: Path) -> None:
    ended = nemotron("steps", "run", "test/breaks", "how=prints_a_secret")
    assert "logged in with <redacted>" in ended.stderr
    assert "hf_" + "a1B2" * 8 not in ended.stderr
