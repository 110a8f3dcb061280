"""Finding an environment: where it is, when it counts, what it gives."""

from __future__ import annotations

import json
import os
import sys

import pytest

from nemotron.diagnostic import Failure
from nemotron.libraries.environment import find, folder_of, left_over, require, root
from nemotron.libraries.spec import load


@pytest.fixture
def place(tiny):
    """An environment's folder as an installation leaves it, as far as finding it goes."""
    library = load("tiny")
    folder = folder_of(library)
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    _mark(folder, lock_digest=library.lock_digest)
    return folder


def _mark(folder, **changes):
    marker = {
        "version": 1,
        "lock_digest": "",
        "python": "3.11.7",
        "torch": {"version": "9.9.9+cpu", "cuda": None},
        "created": "2026-11-21T09:00:00+00:00",
        "packages": {"tiny": "1.0"},
    }
    (folder / "library.json").write_text(json.dumps({**marker, **changes}))


def test_its_folder_is_named_after_library_lock_and_python(tiny):
    library = load("tiny")
    python = f"py{sys.version_info.major}.{sys.version_info.minor}"

    assert folder_of(library) == tiny.libraries / f"tiny-{library.lock_digest[:12]}-{python}"


@pytest.mark.parametrize(("variable", "below"), [("XDG_CACHE_HOME", "nemotron"), ("HOME", ".cache/nemotron")])
def test_environments_lie_in_the_users_cache(tmp_path, monkeypatch, variable, below):
    for name in ("NEMOTRON_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(tmp_path))

    assert root() == tmp_path / below / "libraries"


def test_a_whole_one_is_found_without_starting_anything(place, monkeypatch):
    monkeypatch.setattr("subprocess.Popen", None)

    found = find("tiny")

    assert found is not None
    assert (found.name, found.folder, found.python) == ("tiny", place, place / "bin" / "python")
    assert (found.torch, found.cuda) == ("9.9.9+cpu", None)
    assert found.lock_digest == load("tiny").lock_digest


def test_one_of_another_lock_does_not_count(tiny, place):
    tiny.write_lock("1" * 64)

    assert find("tiny") is None
    assert left_over(load("tiny")) == [place]


@pytest.mark.parametrize("change", [{"version": 2}, {"lock_digest": "other"}])
def test_a_marker_that_says_something_else_does_not_count(place, change):
    _mark(place, **{"lock_digest": load("tiny").lock_digest, **change})

    assert find("tiny") is None


def test_one_without_its_python_does_not_count(place):
    (place / "bin" / "python").unlink()

    assert find("tiny") is None


def test_requiring_one_that_is_missing_names_the_command(tiny):
    with pytest.raises(Failure) as failure:
        require("tiny")

    (problem,) = failure.value.diagnostics
    assert (problem.code, failure.value.exit_code) == ("NMT601", 3)
    assert problem.fix == "nemotron library install tiny"


def test_requiring_gpus_of_a_cpu_build_names_the_command(place):
    assert require("tiny").folder == place

    with pytest.raises(Failure) as failure:
        require("tiny", gpus=True)

    assert failure.value.diagnostics[0].code == "NMT601"
    assert failure.value.diagnostics[0].fix == "nemotron library install tiny --torch cuda"


def test_its_programs_come_first_on_a_jobs_path(place, monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin")

    assert find("tiny").variables() == {"PATH": f"{place / 'bin'}{os.pathsep}/usr/bin"}


def test_the_users_own_python_is_taken_instead(place, tmp_path, monkeypatch):
    own = tmp_path / "own" / "python"
    own.parent.mkdir()
    own.symlink_to(sys.executable)
    monkeypatch.setenv("NEMOTRON_TINY_PYTHON", str(own))

    found = require("tiny", gpus=True)

    assert found.python == own
    assert found.lock_digest != load("tiny").lock_digest


def test_the_users_own_python_may_be_named_as_on_path(tiny, tmp_path, monkeypatch):
    own = tmp_path / "own" / "python-of-mine"
    own.parent.mkdir()
    own.symlink_to(sys.executable)
    monkeypatch.setenv("PATH", str(own.parent))
    monkeypatch.setenv("NEMOTRON_TINY_PYTHON", "python-of-mine")

    assert find("tiny").python == own


def test_the_users_own_python_that_is_not_there_is_reported(place, monkeypatch):
    monkeypatch.setenv("NEMOTRON_TINY_PYTHON", str(place / "nowhere"))

    with pytest.raises(Failure) as failure:
        find("tiny")

    (problem,) = failure.value.diagnostics
    assert (problem.code, failure.value.exit_code) == ("NMT609", 3)
    assert "NEMOTRON_TINY_PYTHON" in problem.fix
