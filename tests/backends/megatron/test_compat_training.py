"""Work-arounds around the library's training, on stand-ins for its modules."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from nemotron.backends.megatron import compat

STEP = "megatron.bridge.training.gpt_step"
NOTHING = (None,) * 10


class Row:
    """As much of a tensor of one row as the work-arounds touch."""

    def __init__(self, *values: int) -> None:
        self.values = values
        self.shape = (1, len(values))

    def __getitem__(self, at: tuple[Any, slice]) -> Row:
        return Row(*self.values[at[1]])

    def max(self) -> int:
        return max(self.values)


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put a module of these names into the library's place."""

    def put(name: str, **names: Any) -> ModuleType:
        made = ModuleType(name)
        vars(made).update(names)
        monkeypatch.setitem(sys.modules, name, made)
        return made

    return put


def test_the_last_step_is_saved_once_and_what_was_there_is_not_saved_again(module: Any) -> None:
    saved: list[int] = []
    save = {"save_checkpoint": lambda state, *_, **__: saved.append(state.train_state.step)}
    training, ending = (module(f"megatron.bridge.training.{name}", **save) for name in ("train", "pretrain"))
    compat.save_each_step_once(8)
    for each, step in ((training, 8), (training, 12), (training, 16), (ending, 16), (ending, 18)):
        each.save_checkpoint(SimpleNamespace(train_state=SimpleNamespace(step=step)), "model", other=1)
    assert saved == [12, 16, 18]


@pytest.mark.parametrize(
    ("ends", "argmin", "seen"),
    [
        (Row(0, 4, 8, -1, -1, -1), Row(3), (0, 4, 8)),
        (Row(0, 4, 8, -1), Row(3), (0, 4, 8)),
        (Row(0, 4, 8), None, (0, 4, 8)),
    ],
)
def test_packs_are_cut_at_ends_that_are_theirs(
    module: Any, ends: Row, argmin: Row | None, seen: tuple[int, ...]
) -> None:
    step = module(STEP, _partition_packed_batch_for_cp=lambda batch, size: {**batch, "size": size})
    compat.cut_packs_at_their_own_ends()
    cut = step._partition_packed_batch_for_cp({"cu_seqlens": ends, "cu_seqlens_argmin": argmin}, 2)
    assert (cut["cu_seqlens"].values, cut["size"]) == (seen, 2)


@pytest.mark.parametrize("stage", range(4))
@pytest.mark.parametrize("packed", [True, False])
def test_every_stage_of_a_pipeline_knows_the_ends_of_packs(module: Any, stage: int, packed: bool) -> None:
    ends = {"cu_seqlens": "ends", "cu_seqlens_argmin": 3, "max_seqlen": 4}
    whole = ("tokens", *NOTHING[1:5], *ends.values(), None, None)
    step = module(
        STEP,
        get_batch=lambda *_, pg_collection, **__: whole if pg_collection.pp in (0, 3) else NOTHING,
        get_batch_from_iterator=lambda batches, *_, **__: next(batches),
        is_pp_first_stage=lambda rank: rank == 0,
        is_pp_last_stage=lambda rank: rank == 3,
    )
    compat.tell_every_stage_of_packs()
    dataset = SimpleNamespace(packed_sequence_specs="packs" if packed else None)
    groups = SimpleNamespace(pp=stage)
    found = step.get_batch(iter([ends]), SimpleNamespace(dataset=dataset), pg_collection=groups)
    if stage in (0, 3):
        assert found == whole
    else:
        assert found == ((None,) * 5 + ("ends", 3, 4, None, None) if packed else NOTHING)


def test_the_process_that_saving_needs_outlives_term(module: Any) -> None:
    def start() -> subprocess.Popen[bytes]:
        program = "import time; print(flush=True); time.sleep(60)"
        return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)

    name = "megatron.core.dist_checkpointing.strategies.filesystem_async"
    writer = module(name, _get_write_results_queue=start)
    before = signal.getsignal(signal.SIGTERM)
    compat.keep_the_writers_queue_through_term()
    process = writer._get_write_results_queue()
    try:
        assert process.stdout.readline() == b"\n"
        os.kill(process.pid, signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.5)
        assert signal.getsignal(signal.SIGTERM) is before
    finally:
        process.kill()
        process.wait()
