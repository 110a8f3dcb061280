"""Secrets that a cluster would lack are told before anything is submitted; the others travel as one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from catalogs.helpers import FAKE, write_chat

from nemotron.catalog.catalog import default_catalog
from nemotron.execution.slurm.secrets import as_line, not_handed_on
from nemotron.execution.slurm.submission import Placed, place
from nemotron.planning.resolve import Wish, resolve
from nemotron.profiles.profile import Profile


def signing(project: Path, *secrets: str) -> list[Placed]:
    """The step that signs with SIGNING_TOKEN, on a profile that hands these on."""
    write_chat(project / "chat.jsonl", 1)
    whole = {"name": "p", "file": project / "env.toml", "executor": "slurm", "remote_job_dir": "/shared"}
    profile = Profile.model_validate({**whole, "secrets": secrets})
    return place(
        [resolve(Wish("test/sign", "default", ["data=chat.jsonl"], profile=profile), default_catalog())]
    )


@pytest.fixture(autouse=True)
def fake_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEMOTRON_STEPS_PATH", str(FAKE))
    monkeypatch.setenv("SIGNING_TOKEN", 'a "quoted"\nvalue')


def test_a_variable_that_is_not_handed_on_is_told_with_the_line_to_write(project: Path) -> None:
    found = not_handed_on(signing(project, "OTHER"))
    assert {problem.code for problem in found} == {"NMT657"}
    assert 'secrets = ["OTHER", "SIGNING_TOKEN"]' in found[0].fix
    assert "signing.token" in found[0].detail


def test_values_travel_as_one_line(project: Path) -> None:
    steps = signing(project, "SIGNING_TOKEN")
    assert not_handed_on(steps) == []
    line = as_line(steps)
    assert "\n" not in line
    assert json.loads(line) == {"SIGNING_TOKEN": 'a "quoted"\nvalue'}


def test_without_secrets_the_line_is_empty(project: Path) -> None:
    assert as_line(signing(project)) == ""
