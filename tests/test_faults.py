"""Boundaries count, kill, and fill the disk, when they are told to."""

from __future__ import annotations

import errno
import os
import signal

import pytest

from nemotron import faults


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEMOTRON_FAULT", raising=False)
    faults.restart()


def test_a_boundary_only_counts_unless_it_is_armed() -> None:
    for _ in range(3):
        faults.boundary()
    assert faults.passed() == 3


def test_the_disk_is_full_at_the_boundary_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEMOTRON_FAULT", "full:2")
    faults.boundary()
    with pytest.raises(OSError) as caught:  # noqa: PT011 - which one, the next line says
        faults.boundary()
    assert caught.value.errno == errno.ENOSPC
    faults.boundary()


def test_the_process_is_killed_at_the_boundary_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEMOTRON_FAULT", "kill:1")
    child = os.fork()
    if not child:
        faults.boundary()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL


@pytest.mark.parametrize("value", ["", "kill", "kill:x", ":1", "other:1"])
def test_a_fault_that_is_none_does_nothing(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("NEMOTRON_FAULT", value)
    faults.boundary()
    assert faults.passed() == 1
