"""Work-arounds for what the public packages of Megatron-Bridge lack. Changes modules of this process only.

Each says which release needs it, looks for the condition that it cures, and does nothing without it.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

_VISION_DATA = "megatron.energon"


def use_compiled_dataset_helpers() -> None:
    """megatron-core 0.16.1: its wheel has the compiled dataset helpers, and training still calls `make`.

    There is no Makefile in the wheel, so `make` ends the process. Where the helpers are there and the
    Makefile is not, importing them takes the place of compiling them.
    """
    from megatron.core.datasets import utils

    folder = Path(utils.__file__).parent
    compiled = importlib.util.find_spec("megatron.core.datasets.helpers_cpp")
    if compiled is None or (folder / "Makefile").exists():
        return

    def import_helpers() -> None:
        importlib.import_module("megatron.core.datasets.helpers_cpp")

    users = ("megatron.core.datasets.utils", "megatron.bridge.training.initialize")
    for module in [sys.modules[name] for name in users if name in sys.modules]:
        module.compile_helpers = import_helpers  # type: ignore[attr-defined]


def save_each_step_once(saved: int) -> None:
    """megatron-bridge 0.3.1: when training ends it saves the last step again, over what it saved just before.

    A process that is killed there leaves a checkpoint that looks whole and is not. `saved` is the step whose
    checkpoint is there already.
    """
    modules = [importlib.import_module(f"megatron.bridge.training.{name}") for name in ("train", "pretrain")]
    save = modules[0].save_checkpoint
    last = saved

    def save_once(state: Any, *arguments: Any, **keywords: Any) -> None:
        nonlocal last
        if state.train_state.step != last:
            save(state, *arguments, **keywords)
            last = state.train_state.step

    for module in modules:
        module.save_checkpoint = save_once  # type: ignore[attr-defined]


def keep_the_writers_queue_through_term() -> None:
    """megatron-core 0.16.1: saving goes through a process of its own, which TERM ends with the others.

    torchrun sends TERM to every process; the checkpoint that is taken then would have nowhere to report to.
    """
    writer = importlib.import_module("megatron.core.dist_checkpointing.strategies.filesystem_async")
    get_queue = writer._get_write_results_queue

    def get_queue_that_stays() -> Any:
        before = signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a process that is started inherits this
        try:
            return get_queue()
        finally:
            signal.signal(signal.SIGTERM, before)

    writer._get_write_results_queue = get_queue_that_stays  # type: ignore[attr-defined]


def cut_packs_at_their_own_ends() -> None:
    """megatron-bridge 0.3.1: context parallelism cuts packs by a list of ends that is padded with -1.

    The list is as long as that of the fullest pack of the global batch. Where a pack has fewer sequences, the
    kernel's search falls on the padding, and the rank reads tokens that are not there.
    """
    step = importlib.import_module("megatron.bridge.training.gpt_step")
    partition = step._partition_packed_batch_for_cp

    def partition_by_its_own(batch: dict[str, Any], cp_size: int) -> dict[str, Any]:
        ends, padding = batch["cu_seqlens"], batch.get("cu_seqlens_argmin")
        if padding is not None and int(padding.max()) < ends.shape[-1]:
            batch = {**batch, "cu_seqlens": ends[..., : int(padding.max())]}
        result: dict[str, Any] = partition(batch, cp_size)
        return result

    step._partition_packed_batch_for_cp = partition_by_its_own  # type: ignore[attr-defined]


def tell_every_stage_of_packs() -> None:
    """megatron-bridge 0.3.1: of a pipeline, only the outer stages know where the sequences of a pack end.

    The stages between them let every token attend to all before it in the pack, whatever its conversation.
    """
    step = importlib.import_module("megatron.bridge.training.gpt_step")
    get_batch = step.get_batch
    names = (
        "cu_seqlens",
        "cu_seqlens_argmin",
        "max_seqlen",
        "cu_seqlens_unpadded",
        "cu_seqlens_unpadded_argmin",
    )

    def get_batch_on_stage(
        data_iterator: Any, cfg: Any, use_mtp: bool = False, *, pg_collection: Any
    ) -> tuple[Any, ...]:
        at_an_end = step.is_pp_first_stage(pg_collection.pp) or step.is_pp_last_stage(pg_collection.pp)
        if at_an_end or getattr(cfg.dataset, "packed_sequence_specs", None) is None:
            whole: tuple[Any, ...] = get_batch(data_iterator, cfg, use_mtp, pg_collection=pg_collection)
            return whole
        batch = step.get_batch_from_iterator(
            data_iterator, False, True, is_first_pp_stage=False, is_last_pp_stage=False
        )
        return (None, None, None, None, None, *(batch.get(name) for name in names))

    step.get_batch = get_batch_on_stage  # type: ignore[attr-defined]


def import_without_vision_data() -> None:
    """megatron-bridge 0.3.1: importing any recipe imports megatron-energon, which only the vision ones use.

    Where it is not installed, an empty module takes its place, whose names are classes without a use.
    """
    if any(isinstance(finder, _EmptyModules) for finder in sys.meta_path):
        return
    megatron = importlib.util.find_spec("megatron")
    folders = megatron.submodule_search_locations if megatron is not None else None
    if folders and importlib.machinery.PathFinder.find_spec(_VISION_DATA, folders) is None:
        sys.meta_path.append(_EmptyModules(_VISION_DATA))


class _EmptyModules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds one package that is not installed, and every module below it, as empty modules."""

    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname == self._package or fullname.startswith(self._package + "."):
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _EmptyModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        return None


class _EmptyModule(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (_Nothing,), {})


class _Nothing:
    """What the names of an empty module are: a class that can be subclassed, subscripted and made."""

    def __init__(self, *_: Any, **__: Any) -> None:
        return None

    def __class_getitem__(cls, _: Any) -> type:
        return cls
