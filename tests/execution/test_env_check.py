"""Does a profile of this machine work?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from envs import cluster, profile

from nemotron.execution.env_check import Finding, check_profile, look_for_library
from nemotron.execution.slurm import env_check as on_cluster
from nemotron.hardware import probe
from nemotron.hardware.probe import Gpu


def found(**keys: Any) -> dict[str, Finding]:
    return {finding.what: finding for finding in check_profile(profile(**keys))}


def test_a_profile_that_asks_for_nothing_needs_nothing() -> None:
    assert found() == {}


@pytest.mark.parametrize(
    ("wanted", "is_there", "told"), [(0, True, "2 of 0"), (2, True, "2 of 2"), (4, False, "2 of 4")]
)
def test_gpus_are_counted(monkeypatch: pytest.MonkeyPatch, wanted: int, is_there: bool, told: str) -> None:
    monkeypatch.setattr(probe, "gpus", lambda: (Gpu("G", 80_000),) * 2)
    gpus = found(gpus_per_node=wanted)["GPUs"]
    assert (gpus.is_there, gpus.found) == (is_there, told)


def test_python_is_looked_for_as_a_job_finds_it() -> None:
    checked = found(python=sys.executable, setup=["A=1"])
    assert [(each.what, each.is_there) for each in checked.values()] == [("setup", True), ("python", True)]
    assert checked["python"].found.startswith("Python 3.")
    assert not found(python="/no/such/python")["python"].is_there
    broken = found(python=sys.executable, setup=["echo no module >&2; false"])
    assert (broken["setup"].is_there, broken["setup"].found) == (False, "no module")
    assert not broken["python"].is_there


def test_a_library_is_looked_for_in_the_profiles_python() -> None:
    checked = found(python=sys.executable, libraries=["automodel", "nemo_rl"])
    assert not checked["library automodel"].is_there
    assert "library nemo_rl" not in checked  # nothing says how its package is called


def test_a_library_of_ours_is_looked_for_where_it_is_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(probe, "gpus", lambda: ())
    monkeypatch.setenv("NEMOTRON_CACHE", str(tmp_path))
    missing = found(libraries=["automodel"])["library automodel"]
    assert (missing.is_there, missing.fix) == (False, "nemotron library install automodel")


def test_secrets_and_the_key_of_ssh_are_looked_for_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("A_TOKEN", "x")
    monkeypatch.delenv("B_TOKEN", raising=False)
    monkeypatch.setattr(on_cluster, "check_cluster", lambda profile: iter(()))
    keys = {"secrets": ["A_TOKEN", "B_TOKEN"], "identity": str(tmp_path / "key")}
    checked = {each.what: each.is_there for each in check_profile(cluster(**keys))}
    assert checked == {"secret A_TOKEN": True, "secret B_TOKEN": False, "identity": False}


def test_an_unknown_library_cannot_be_looked_for() -> None:
    assert look_for_library("no-such-library", "python") == []
