"""Which build of torch is taken in which situation."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from nemotron.libraries import uv
from nemotron.libraries.commands import Commands
from nemotron.libraries.spec import load
from nemotron.libraries.torch_build import NoTorch, candidates, choose, nvidia_gpu, wants_cuda


def _tried(**situation) -> list[tuple[str, tuple[str, ...]]]:
    given = {"cuda": False, "driver": False, "find_links": []}
    return [(c.requirement, c.options) for c in candidates("2.13.0", **{**given, **situation})]


def test_without_a_gpu_a_local_cpu_wheel_comes_first_and_the_default_build_last(monkeypatch):
    monkeypatch.delenv("UV_TORCH_BACKEND", raising=False)

    assert _tried(find_links=["wheels"]) == [
        ("torch==2.13.0+cpu", ()),
        ("torch==2.13.0", ("--torch-backend", "cpu")),
        ("torch==2.13.0", ()),
    ]
    assert _tried() == [("torch==2.13.0", ("--torch-backend", "cpu")), ("torch==2.13.0", ())]


def test_with_a_gpu_no_cpu_build_is_taken(monkeypatch):
    monkeypatch.delenv("UV_TORCH_BACKEND", raising=False)
    never_cpu = "torch==2.13.0,!=2.13.0+cpu"

    assert _tried(cuda=True, driver=True, find_links=["wheels"]) == [
        (never_cpu, ("--torch-backend", "auto")),
        (never_cpu, ()),
    ]
    assert _tried(cuda=True, driver=False) == [(never_cpu, ())]


def test_uvs_own_setting_decides_before_all_else(monkeypatch):
    monkeypatch.setenv("UV_TORCH_BACKEND", "cu126")

    for cuda in (False, True):
        assert _tried(cuda=cuda, driver=True)[0] == ("torch==2.13.0", ("--torch-backend", "cu126"))


@pytest.mark.parametrize(
    ("wanted", "driver", "backend", "expected"),
    [
        ("auto", True, "", True),
        ("auto", False, "", False),
        ("auto", True, "cpu", False),
        ("cuda", False, "", True),
        ("cpu", True, "", False),
    ],
)
def test_when_a_cuda_build_is_wanted(monkeypatch, wanted, driver, backend, expected):
    monkeypatch.setenv("UV_TORCH_BACKEND", backend)

    assert wants_cuda(wanted, driver=driver) is expected


def _program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


@pytest.mark.skipif(Path("/proc/driver/nvidia/gpus").exists(), reason="this machine has a GPU")
@pytest.mark.parametrize(
    ("script", "expected"),
    [("echo 'GPU 0: NVIDIA H200 (UUID: GPU-0)'", True), ("echo 'No devices were found'; exit 6", False)],
)
def test_a_gpu_is_one_that_the_driver_lists(tmp_path, monkeypatch, script, expected):
    _program(tmp_path / "bin", "nvidia-smi", script)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")

    assert nvidia_gpu() is expected


def _choose(tiny, wanted: str, reports: list[str]):
    environment = tiny.folder / "environment"
    with open(tiny.folder / "lock", "w", encoding="utf-8") as stream:
        commands = Commands(
            tiny.folder, tiny.folder / "log", stream.fileno(), reports.append, uv.environment()
        )
        program = uv.program()
        commands.run([str(program), "venv", "--quiet", str(environment)], "making the environment")
        python = environment / "bin" / "python"
        return choose(commands, program, load("tiny"), python, wanted, [str(tiny.wheels)])


def test_the_local_cpu_wheel_is_pinned_by_its_digest(tiny):
    build = _choose(tiny, "cpu", [])

    assert build.version == "9.9.9+cpu"
    assert build.wheel == "torch-9.9.9+cpu-py3-none-any.whl"
    assert build.requirements == (f"torch==9.9.9+cpu --hash=sha256:{build.sha256}",)
    assert not build.brings_cuda


def test_the_next_build_is_tried_when_one_cannot_be_had(tiny):
    (tiny.wheels / "torch-9.9.9+cpu-py3-none-any.whl").unlink()
    tiny.add_torch("9.9.9", "13.0")
    reports = []

    build = _choose(tiny, "cpu", reports)

    assert build.version == "9.9.9"
    assert any("find-links" in line and "not to be had" in line for line in reports)


def test_what_only_torch_brings_comes_with_it_and_what_the_lock_has_does_not(tiny, make_wheel):
    make_wheel(tiny.wheels, "nvidia-tiny", "1.0", {"nvidia_tiny.py": ""})
    tiny.add_torch("9.9.9", "13.0", requires=("nvidia-tiny", "tiny"))

    build = _choose(tiny, "cuda", [])

    assert build.brings_cuda
    assert [line.split("=")[0].split(" ")[0] for line in build.requirements] == ["nvidia-tiny", "torch"]
    assert all("--hash=sha256:" in line for line in build.requirements)


def test_a_build_that_contradicts_the_lock_is_not_taken(tiny):
    tiny.add_torch("9.9.9", "13.0", requires=("tiny>=2",))

    with pytest.raises(NoTorch) as problem:
        _choose(tiny, "cuda", [])

    assert "tiny" in problem.value.last.output
