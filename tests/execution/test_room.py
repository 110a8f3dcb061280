"""Who may run at the same time: GPUs are never shared, and nobody who waits is passed for ever."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from catalogs.helpers import request_for, write_chat

from nemotron.execution.room import Room
from nemotron.planning.request import StepRequest


@pytest.fixture
def step(fake_steps: Path, project: Path) -> StepRequest:
    write_chat(project / "chat.jsonl", 1)
    return request_for("test/word_count", "data=chat.jsonl")


def with_gpus(step: StepRequest, count: int) -> StepRequest:
    return replace(step, gpus=count)


@pytest.fixture
def room() -> Room:
    return Room(devices=["0", "1", "2", "3"], cores=8)


def test_each_step_gets_gpus_of_its_own(room: Room, step: StepRequest) -> None:
    assert room.enter("a", with_gpus(step, 2)) == ("0", "1")
    assert room.enter("b", with_gpus(step, 1)) == ("2",)
    assert room.enter("c", with_gpus(step, 2)) is None
    room.leave("a")
    room.forget_claims()
    assert room.enter("c", with_gpus(step, 2)) == ("0", "1")


def test_a_large_step_that_waits_is_not_passed_by_small_ones(room: Room, step: StepRequest) -> None:
    room.enter("a", with_gpus(step, 1))
    assert room.enter("large", with_gpus(step, 4)) is None
    assert room.enter("small", with_gpus(step, 1)) is None
    assert room.enter("on the CPU", with_gpus(step, 0)) == ()


def test_a_step_on_the_cpu_takes_a_core(step: StepRequest) -> None:
    room = Room(devices=[], cores=2)
    assert [room.enter(name, with_gpus(step, 0)) for name in "abc"] == [(), (), None]
    room.leave("b")
    room.forget_claims()
    assert room.enter("c", with_gpus(step, 0)) == ()


def test_a_step_with_more_processes_than_cores_has_the_machine_for_itself(step: StepRequest) -> None:
    room = Room(devices=["0", "1", "2", "3"], cores=2)
    assert room.enter("a", with_gpus(step, 4)) == ("0", "1", "2", "3")
    assert room.enter("b", with_gpus(step, 0)) is None
