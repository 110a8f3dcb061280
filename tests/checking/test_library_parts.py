"""Configs that need a part of a library that the installation is without."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small import SmallCatalog, codes, the, write

from nemotron.checking.library_parts import parts_are_there
from nemotron.diagnostic import Severity
from nemotron.libraries import environment, spec

LIBRARY = """
    summary = "A library"
    license = "Apache-2.0"
    pythons = ["3.11", "3.12", "3.13"]
    imports = ["far_away"]
    image = "an/image:1"
    [lock]
    complete = true
    [torch]
    version = "2"
    download_mb = {cpu = 1, cuda = 2}

    [[optional]]
    name = "kernels"
    why = "packs"
    module = "kernels"
    programs = ["nvcc"]
    requirements = []
    needed = [{gpus = true}, {key = "data.packs", instead = "or data.packs=null"}]

    [[optional]]
    name = "mamba"
    why = "Mamba layers"
    module = "mamba"
    requirements = []
    needed = [{mamba = true}]
"""
LAYOUT = """
    [parallelism]
    rules = "megatron_core"
    model = "model"
    tensor = "tp"
"""


@pytest.fixture
def installed(small: SmallCatalog, project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A step of the library, and the record of an installation that has no parts."""
    write(project / "locks" / "far_away.toml", LIBRARY)
    (project / "locks" / "far_away.txt").write_text("far-away==1 --hash=sha256:0\n")
    monkeypatch.setenv("NEMOTRON_LOCKS_PATH", str(project / "locks"))
    monkeypatch.setenv("NEMOTRON_CACHE", str(project / "cache"))
    small.step(
        "train/one",
        LAYOUT,
        head='library = "far_away"',
        default="a: 1\nmodel: null\ntp: 1\ndata: {packs: null}\n",
    )
    library = spec.load("far_away")
    folder = environment.folder_of(library)
    python = environment.python_of(folder)
    python.parent.mkdir(parents=True)
    python.write_text("")
    python.chmod(0o755)
    record(folder / "library.json", cuda=None, parts=[])
    return folder / "library.json"


def record(file: Path, *, cuda: str | None, parts: list[str]) -> None:
    marker = {
        "version": 1,
        "lock_digest": spec.load("far_away").lock_digest,
        "python": "3.11.7",
        "torch": {"version": "2", "cuda": cuda},
        "created": "",
        "packages": {},
        "parts": parts,
    }
    file.write_text(json.dumps(marker))


def test_a_key_that_needs_a_part_blocks_at_its_place(small: SmallCatalog, installed: Path) -> None:
    problem = the(parts_are_there(small.request("train/one", "data.packs=packs")), "NMT643")
    assert problem.severity is Severity.BLOCKED
    assert problem.where is not None
    assert "without kernels" in problem.summary
    assert "an/image:1" in problem.fix
    assert "NEMOTRON_FAR_AWAY_PYTHON=python nemotron steps run train/one" in problem.fix
    assert problem.detail.endswith("or data.packs=null")


def test_a_config_that_needs_none_is_free(small: SmallCatalog, installed: Path) -> None:
    assert list(parts_are_there(small.request("train/one"))) == []


def test_with_the_part_nothing_is_in_the_way(small: SmallCatalog, installed: Path) -> None:
    record(installed, cuda="13.0", parts=["kernels"])
    assert list(parts_are_there(small.request("train/one", "data.packs=packs", gpus=8))) == []


def test_gpus_need_it_only_of_a_torch_that_can_use_them(small: SmallCatalog, installed: Path) -> None:
    assert list(parts_are_there(small.request("train/one", gpus=1))) == []
    record(installed, cuda="13.0", parts=[])
    assert codes(parts_are_there(small.request("train/one", gpus=1))) == ["NMT643"]
    assert list(parts_are_there(small.request("train/one"))) == []


def test_a_model_with_mamba_layers_needs_its_own_part(
    small: SmallCatalog, installed: Path, project: Path
) -> None:
    layers = {"num_hidden_layers": 2, "hidden_size": 8, "num_attention_heads": 2, "vocab_size": 10}
    for name, more in (("plain", {}), ("hybrid", {"mamba_num_heads": 4, "n_groups": 2})):
        write(project / name / "config.json", json.dumps({**layers, **more}))
    assert list(parts_are_there(small.request("train/one", f"model={project / 'plain'}"))) == []
    problem = the(parts_are_there(small.request("train/one", f"model={project / 'hybrid'}")), "NMT643")
    assert "without mamba" in problem.summary


def test_what_is_not_installed_or_not_known_is_not_judged(
    small: SmallCatalog, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = small.request("train/one", "data.packs=packs")
    monkeypatch.setenv("NEMOTRON_FAR_AWAY_PYTHON", "python3")
    assert list(parts_are_there(request)) == []
    monkeypatch.delenv("NEMOTRON_FAR_AWAY_PYTHON")
    installed.unlink()
    assert list(parts_are_there(request)) == []
