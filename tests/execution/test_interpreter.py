"""The Python of a step's job: ours, its library's, or the one that an install would make."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from catalogs.helpers import request_for
from envs import cluster, profile

from nemotron.execution.interpreter import interpreter_for, interpreter_of
from nemotron.planning.resolve import on_profile
from nemotron.profiles.profile import Profile


def test_a_step_without_a_library_runs_under_our_python(fake_steps: Path) -> None:
    found = interpreter_of(request_for("test/trainer").library)
    assert found.python == Path(sys.executable)
    assert found.installed


def test_a_library_that_is_not_installed_has_the_key_that_it_will_have(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, automodel_python: Path
) -> None:
    installed = interpreter_of("automodel")
    monkeypatch.setenv("NEMOTRON_CACHE", str(tmp_path))
    absent = interpreter_of("automodel")
    assert installed.python == automodel_python
    assert (installed.installed, absent.installed) == (True, False)
    assert absent.digest == installed.digest
    assert tmp_path in absent.python.parents
    assert not absent.python.exists()


def test_jobs_of_a_library_find_its_programs_first(automodel_python: Path) -> None:
    found = interpreter_of("automodel")
    assert found.variables["PATH"].split(":")[0] == str(automodel_python.parent)


NAMED = [
    (profile(python="/opt/bin/python"), "/opt/bin/python", "outside:/opt/bin/python"),
    (cluster(), "/opt/bin/python", "outside:login:/opt/bin/python"),
    (cluster(python=None), "python3", "outside:login:python3"),
    (cluster(container_image="image"), "/opt/bin/python", "image"),
    (cluster(python=None, container_image="image"), "python", "image"),
    (cluster(python=None, host=None), sys.executable, "nemotron"),
    (profile(container_image="image"), sys.executable, "nemotron"),
    (profile(), sys.executable, "nemotron"),
]


@pytest.mark.parametrize(("on", "python", "digest"), NAMED)
def test_a_profile_names_the_python_and_what_stands_for_its_packages(
    fake_steps: Path, on: Profile, python: str, digest: str
) -> None:
    found = interpreter_for(on_profile(request_for("test/trainer"), on))
    assert (str(found.python), found.digest) == (python, digest)


def test_a_python_of_this_machine_is_looked_up_in_path(fake_steps: Path) -> None:
    on = on_profile(request_for("test/trainer"), profile(python="sh"))
    found = interpreter_for(on)
    assert (found.python.name, found.python.is_absolute(), found.installed) == ("sh", True, True)
    assert not interpreter_for(on_profile(request_for("test/trainer"), profile(python="no-such"))).installed
