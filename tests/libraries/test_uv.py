"""Finding uv."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from nemotron.diagnostic import Failure
from nemotron.libraries import uv


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Somewhere without any uv: $UV, PATH, home and this Python's folder are below it."""
    monkeypatch.delenv("UV", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python" / "python"))
    return tmp_path


def _uv(path: Path, version: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho 'uv {version}'\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_looked_for_in_order(places, monkeypatch):
    beside = _uv(places / "python" / "uv", "0.9.0")
    assert uv.program() == beside
    home = _uv(places / "home" / ".local" / "bin" / "uv", "0.9.0 (abc 2026-01-01)")
    assert uv.program() == home
    on_path = _uv(places / "path" / "uv", "0.13.8")
    assert uv.program() == on_path
    monkeypatch.setenv("UV", str(_uv(places / "own", "1.0.0")))
    assert uv.program() == places / "own"


def test_one_that_is_too_old_or_broken_is_passed_over(places):
    _uv(places / "path" / "uv", "0.7.99")
    good = _uv(places / "home" / ".local" / "bin" / "uv", "0.8.0")
    assert uv.program() == good

    good.write_text("#!/bin/sh\nexit 127\n")
    with pytest.raises(Failure) as failure:
        uv.program()

    (problem,) = failure.value.diagnostics
    assert problem.code == "NMT602"
    assert "0.7.99" in problem.detail


def test_without_any(places):
    with pytest.raises(Failure) as failure:
        uv.program()

    assert failure.value.diagnostics[0].code == "NMT602"
    assert "pipx install uv" in failure.value.diagnostics[0].fix


def test_what_would_change_a_lock_is_set_aside_and_indexes_are_kept(monkeypatch):
    monkeypatch.setenv("UV_CONSTRAINT", "other.txt")
    monkeypatch.setenv("UV_INDEX", "mine")

    variables = uv.environment()

    assert "UV_CONSTRAINT" not in variables
    assert variables["UV_INDEX"] == "mine"
    assert variables["PATH"] == os.environ["PATH"]
