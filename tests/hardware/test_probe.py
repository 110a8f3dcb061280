"""What the machine has: the driver's answer, and what CUDA_VISIBLE_DEVICES hides."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nemotron.hardware import probe
from nemotron.hardware.probe import Gpu

ANSWER = """\
GPU-aaaa-1, NVIDIA H200, 143771
GPU-aabb-2, NVIDIA H200, 143771
GPU-cccc-3, NVIDIA A100-SXM4, 40GB, 40960
"""


def h200(device: str) -> Gpu:
    return Gpu("NVIDIA H200", 143771, device)


def a100(device: str) -> Gpu:
    return Gpu("NVIDIA A100-SXM4, 40GB", 40960, device)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    probe.gpus.cache_clear()
    yield
    probe.gpus.cache_clear()


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in place of nvidia-smi, which prints what `answer` holds."""
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\ncase "$1" in --query-gpu=*) cat "{tmp_path}/answer";; *) exit 9;; esac\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    (tmp_path / "answer").write_text(ANSWER, encoding="utf-8")
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return program


def test_the_driver_says_what_there_is(driver: Path) -> None:
    assert probe.gpus() == (h200("0"), h200("1"), a100("2"))


VISIBLE = [
    ("", ()),
    ("-1", ()),
    ("0", (h200("0"),)),
    ("2", (a100("2"),)),
    ("2,0", (a100("2"), h200("0"))),
    (" 0 , 1 ", (h200("0"), h200("1"))),
    ("0,-1,2", (h200("0"),)),
    ("0,7,2", (h200("0"),)),
    ("GPU-cccc", (a100("GPU-cccc"),)),
    ("GPU-aa", ()),
    ("GPU-zzzz", ()),
    ("NoDevFiles", ()),
    ("MIG-1234,MIG-5678", (h200("MIG-1234"), h200("MIG-5678"))),
]


@pytest.mark.parametrize(("listed", "expected"), VISIBLE)
def test_cuda_visible_devices_hides_the_others(
    driver: Path, monkeypatch: pytest.MonkeyPatch, listed: str, expected: tuple[Gpu, ...]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", listed)
    assert probe.gpus() == expected


@pytest.mark.parametrize("script", ["exit 9", "echo failed >&2; exit 1", ""])
def test_a_driver_that_does_not_answer_is_none(driver: Path, script: str) -> None:
    driver.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    assert probe.gpus() == ()


def test_memory_that_is_not_told_is_zero(driver: Path) -> None:
    (driver.parent.parent / "answer").write_text("GPU-a, NVIDIA GB10, [N/A]\n", encoding="utf-8")
    assert probe.gpus() == (Gpu("NVIDIA GB10", 0, "0"),)


def test_without_a_driver_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert probe.gpus() == ()


def test_cores_are_those_of_this_process() -> None:
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert probe.cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert probe.cores() == len(allowed)
