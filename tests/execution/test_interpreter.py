"""The Python of a step's job: ours, its library's, or the one that an install would make."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from catalogs.helpers import request_for

from nemotron.catalog.catalog import default_catalog
from nemotron.execution.interpreter import interpreter_of


def test_a_step_without_a_library_runs_under_our_python(fake_steps: Path) -> None:
    found = interpreter_of(request_for("test/trainer").step)
    assert found.python == Path(sys.executable)
    assert found.installed


def test_a_library_that_is_not_installed_has_the_key_that_it_will_have(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, automodel_python: Path
) -> None:
    step = default_catalog().step("sft/automodel")
    installed = interpreter_of(step)
    monkeypatch.setenv("NEMOTRON_CACHE", str(tmp_path))
    absent = interpreter_of(step)
    assert installed.python == automodel_python
    assert (installed.installed, absent.installed) == (True, False)
    assert absent.digest == installed.digest
    assert tmp_path in absent.python.parents
    assert not absent.python.exists()


def test_jobs_of_a_library_find_its_programs_first(automodel_python: Path) -> None:
    found = interpreter_of(default_catalog().step("sft/automodel"))
    assert found.variables["PATH"].split(":")[0] == str(automodel_python.parent)
