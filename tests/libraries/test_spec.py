"""Libraries as their files describe them."""

from __future__ import annotations

import pytest

from nemotron.diagnostic import Failure
from nemotron.libraries.install import install
from nemotron.libraries.inventory import State, inventory
from nemotron.libraries.spec import load, names


def _code(failure: pytest.ExceptionInfo[Failure]) -> str:
    return failure.value.diagnostics[0].code


def test_the_shipped_and_a_teams_own_libraries_are_found(tiny):
    assert {"automodel", "tiny"} <= set(names())
    assert load("tiny").description.summary == "A tiny library"


def test_an_unknown_library_suggests_the_nearest(tiny):
    with pytest.raises(Failure) as failure:
        load("automodl")

    assert _code(failure) == "NMT607"
    assert "automodel" in failure.value.diagnostics[0].fix


def test_a_library_has_aliases(tiny):
    description = tiny.locks / "tiny.toml"
    description.write_text('aliases = ["small"]\n' + description.read_text())

    assert load("small") == load("tiny")
    assert "small" not in names()
    assert load("megatron").name == "megatron_bridge"


def test_the_digest_changes_with_the_lock_and_with_torch_only(tiny):
    first = load("tiny").lock_digest
    description = tiny.locks / "tiny.toml"
    description.write_text(description.read_text().replace("A tiny library", "Another summary"))
    assert load("tiny").lock_digest == first

    description.write_text(description.read_text().replace("9.9.9", "9.9.8"))
    with_other_torch = load("tiny").lock_digest
    tiny.write_lock("1" * 64)

    assert len({first, with_other_torch, load("tiny").lock_digest}) == 3


def test_a_python_that_the_library_does_not_run_on_is_replaced_by_its_newest(tiny):
    tiny.write_description(pythons=["3.98", "3.99"])

    assert load("tiny").python == "3.99"


def test_a_missing_lock_names_the_command_that_makes_it(tiny):
    (tiny.locks / "tiny.txt").unlink()

    with pytest.raises(Failure) as failure:
        load("tiny")

    assert _code(failure) == "NMT608"
    assert "locks/compile" in failure.value.diagnostics[0].fix


def test_two_libraries_of_one_name_are_an_error_that_names_both(tiny):
    (tiny.locks / "automodel.toml").write_text((tiny.locks / "tiny.toml").read_text())

    with pytest.raises(Failure) as failure:
        names()

    (problem,) = failure.value.diagnostics
    assert problem.code == "NMT608"
    assert problem.where.file == str(tiny.locks / "automodel.toml")
    assert problem.related[0].place.file.endswith("automodel.toml")


def test_a_folder_of_libraries_that_is_not_there(tiny, monkeypatch):
    monkeypatch.setenv("NEMOTRON_LOCKS_PATH", str(tiny.folder / "nowhere"))

    with pytest.raises(Failure) as failure:
        names()

    assert _code(failure) == "NMT608"


def test_an_unknown_key_in_a_description_has_a_place(tiny):
    description = tiny.locks / "tiny.toml"
    description.write_text(description.read_text() + "versoin = '1'\n")

    with pytest.raises(Failure) as failure:
        load("tiny")

    assert failure.value.diagnostics[0].where.line == len(description.read_text().splitlines())


ELSEWHERE = """
summary = "A library of a container"
license = "Apache-2.0"

[elsewhere]
image = "an/image:1"
packages = ["far-away==2"]
why = "it is published as a container."
"""


@pytest.fixture
def far_away(tiny):
    (tiny.locks / "far-away.toml").write_text(ELSEWHERE)
    return load("far-away")


def test_a_library_from_elsewhere_needs_no_lock(far_away):
    assert str(far_away.elsewhere) == "the container image an/image:1 or a Python with far-away==2"
    assert far_away.variable == "NEMOTRON_FAR_AWAY_PYTHON"


def test_its_digest_changes_with_where_it_comes_from(tiny, far_away):
    (tiny.locks / "far-away.toml").write_text(ELSEWHERE.replace("image:1", "image:2"))

    assert load("far-away").lock_digest != far_away.lock_digest


@pytest.mark.parametrize(
    "text",
    [
        'summary = "x"\nlicense = "x"\n',
        ELSEWHERE + '[torch]\nversion = "2"\ndownload_mb = {cpu = 1, cuda = 2}\n',
    ],
)
def test_a_library_has_a_lock_or_comes_from_elsewhere(tiny, text):
    (tiny.locks / "far-away.toml").write_text(text)

    with pytest.raises(Failure) as failure:
        load("far-away")

    assert _code(failure) == "NMT103"


def test_it_is_not_installed_and_blocks_naming_its_source(far_away):
    with pytest.raises(Failure) as failure:
        install("far-away")

    (problem,) = failure.value.diagnostics
    assert (problem.code, failure.value.exit_code) == ("NMT611", 3)
    assert "an/image:1" in problem.detail
    assert "NEMOTRON_FAR_AWAY_PYTHON" in problem.fix
    entry = next(e for e in inventory() if e.library.name == "far-away")
    assert (entry.state, entry.folder) == (State.ELSEWHERE, None)
