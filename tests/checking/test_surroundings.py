"""Is everything there that the run needs: the library, the GPUs?"""

from __future__ import annotations

from pathlib import Path

import pytest
from small import SmallCatalog, codes, position, stands, the, write

from nemotron.checking import surroundings
from nemotron.checking.surroundings import gpus_are_there, library_is_installed, program_is_there
from nemotron.diagnostic import Failure, Severity, blocked
from nemotron.hardware import probe
from nemotron.hardware.probe import Gpu


def has_gpus(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(probe, "gpus", lambda: (Gpu("G", 80_000),) * count)


GPUS = [
    (0, 0, None),
    (0, 8, None),
    (8, 8, None),
    (4, 8, None),
    (8, 4, "8 GPUs are asked for, this machine has 4"),
    (1, 0, "1 GPU is asked for, this machine has none"),
]


@pytest.mark.parametrize(("asked", "there", "summary"), GPUS)
def test_more_gpus_than_there_are_block(
    small: SmallCatalog,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    asked: int,
    there: int,
    summary: str | None,
) -> None:
    has_gpus(monkeypatch, there)
    small.step("train/one", default="a: 1\n", tiny="run: {gpus: 0}\n")
    found = list(gpus_are_there(small.request("train/one", gpus=asked)))
    if summary is None:
        assert found == []
        return
    problem = the(found, "NMT620")
    assert (problem.severity, problem.summary) == (Severity.BLOCKED, summary)
    assert problem.fix == (f"--gpus {there}" if there else "--gpus 0; `-c tiny` runs without a GPU")


def test_the_place_is_the_key_that_asks_for_them(
    small: SmallCatalog, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_gpus(monkeypatch, 0)
    folder = small.step("train/one", head="gpus = 2", default="run:\n  gpus: 4\n", bare="a: 1\n")
    problem = the(gpus_are_there(small.request("train/one")), "NMT620")
    assert stands(problem.where) == position(folder / "config" / "default.yaml", "gpus")
    assert the(gpus_are_there(small.request("train/one", config="bare")), "NMT620").where is None
    assert the(gpus_are_there(small.request("train/one", gpus=3)), "NMT620").where is None


def test_more_nodes_than_one_block(
    small: SmallCatalog, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_gpus(monkeypatch, 8)
    small.step("train/one", default="a: 1\n")
    problem = the(gpus_are_there(small.request("train/one", gpus=16, nodes=2)), "NMT621")
    assert (problem.severity, problem.summary) == (
        Severity.BLOCKED,
        "2 nodes are asked for, and this machine is one",
    )
    assert problem.fix.startswith("--gpus N")


@pytest.mark.parametrize(("asked", "there", "wants_cuda"), [(0, 8, False), (8, 8, True), (8, 0, False)])
def test_the_library_must_use_the_gpus_that_are_there(
    small: SmallCatalog,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    asked: int,
    there: int,
    wants_cuda: bool,
) -> None:
    has_gpus(monkeypatch, there)
    wishes: list[tuple[str, bool]] = []
    monkeypatch.setattr(surroundings, "require", lambda name, *, gpus=False: wishes.append((name, gpus)))
    small.step("train/one", head='library = "automodel"', default="a: 1\n")
    assert list(library_is_installed(small.request("train/one", gpus=asked))) == []
    assert wishes == [("automodel", wants_cuda)]


def test_a_library_that_is_not_installed_blocks(
    small: SmallCatalog, project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NEMOTRON_CACHE", str(tmp_path / "cache"))
    small.step("train/one", head='library = "automodel"', default="a: 1\n")
    problem = the(library_is_installed(small.request("train/one")), "NMT601")
    assert problem.severity is Severity.BLOCKED
    assert problem.fix == "nemotron library install automodel"


def test_a_step_without_a_library_needs_none(
    small: SmallCatalog, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str, *, gpus: bool = False) -> None:
        raise Failure(blocked("NMT601", name))

    monkeypatch.setattr(surroundings, "require", refuse)
    small.step("train/one", default="a: 1\n")
    small.step("train/two", head='library = "x"', default="a: 1\n")
    assert list(library_is_installed(small.request("train/one"))) == []
    assert codes(library_is_installed(small.request("train/two"))) == ["NMT601"]


ELSEWHERE = """
    summary = "A library of a container."
    license = "Apache-2.0"
    [elsewhere]
    image = "an/image:1"
    why = "it is published as a container."
"""


@pytest.fixture
def library(project: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    write(project / "locks" / "far_away.toml", ELSEWHERE)
    monkeypatch.setenv("NEMOTRON_LOCKS_PATH", str(project / "locks"))
    return "far_away"


def test_a_library_from_elsewhere_blocks_with_the_command_of_a_host_that_has_it(
    small: SmallCatalog, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.step("train/one", head=f'library = "{library}"', default="a: 1\n")
    problem = the(library_is_installed(small.request("train/one", "a=2")), "NMT611")
    assert problem.severity is Severity.BLOCKED
    assert "an/image:1" in problem.detail
    command = "NEMOTRON_FAR_AWAY_PYTHON=python nemotron steps run train/one -c default a=2"
    assert problem.fix == f"on a host that has it: {command}"
    monkeypatch.setenv("NEMOTRON_FAR_AWAY_PYTHON", "python3")
    assert list(library_is_installed(small.request("train/one"))) == []


def test_a_step_without_a_program_blocks_with_the_librarys_own(small: SmallCatalog, library: str) -> None:
    manifest = '[upstream]\nargv = ["their-tool", "{config}"]\n'
    folder = small.step("train/one", manifest, head=f'library = "{library}"', default="a: 1\n")
    assert list(program_is_there(small.request("train/one"))) == []
    (folder / "step.py").unlink()
    problem = the(program_is_there(small.request("train/one")), "NMT612")
    assert problem.severity is Severity.BLOCKED
    assert problem.fix.endswith(f"an/image:1 their-tool {folder / 'config' / 'default.yaml'}")


def test_a_step_without_a_program_or_a_library(small: SmallCatalog, project: Path) -> None:
    folder = small.step("prep/one", default="a: 1\n")
    (folder / "step.py").unlink()
    assert the(program_is_there(small.request("prep/one")), "NMT612").fix == ""
