"""Megatron models in the shape of a Hugging Face folder: built, filled, read. Needs the groups of `world`."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import yaml

from nemotron.backends.job import JobError
from nemotron.backends.megatron import cpu
from nemotron.backends.megatron.world import Layout

# What a checkpoint's own run_config.yaml overrules of the shape: training may have padded the vocabulary.
_VOCABULARY = ("vocab_size", "should_pad_vocab", "make_vocab_size_divisible_by")


def bridge_of(folder: Path, *, remote_code: bool) -> Any:
    """The library's bridge for a Hugging Face folder. JobError NMT860 when it has none for this model."""
    from megatron.bridge import AutoBridge

    try:
        return AutoBridge.from_hf_pretrained(str(folder), trust_remote_code=remote_code)
    except ValueError as problem:
        raise JobError(
            "NMT860",
            f"Megatron-Bridge cannot take this model: {str(problem).strip().splitlines()[0]}",
            file=folder / "config.json",
        ) from problem


def provider_of(bridge: Any, layout: Layout, dtype: str, *, without_cuda: bool) -> Any:
    """What builds a model of the bridge's shape, without weights, in a layout and a number format."""
    import torch

    provider = bridge.to_megatron_provider(load_weights=False)
    if without_cuda:
        cpu.fit_to_cpu(provider)
    layout.apply(provider)
    provider.perform_initialization = False
    provider.bf16, provider.fp16 = dtype == "bfloat16", dtype == "float16"
    provider.params_dtype = provider.pipeline_dtype = getattr(torch, dtype)
    return provider


def take_vocabulary(provider: Any, checkpoint: Path) -> None:
    """Give the provider the vocabulary's size of a Megatron checkpoint, as its run_config.yaml states it."""
    try:
        told = yaml.safe_load((checkpoint / "run_config.yaml").read_text(encoding="utf-8"))["model"]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as problem:
        mark = getattr(problem, "problem_mark", None)
        why, line = "its run_config.yaml does not say what the model is", mark.line + 1 if mark else None
        raise _not_whole(checkpoint, why, checkpoint / "run_config.yaml", line) from problem
    for name in _VOCABULARY:
        if told.get(name) is not None:
            setattr(provider, name, told[name])


def build(provider: Any) -> list[Any]:
    """The parts of the model that this process holds, on the GPU where there is one."""
    import torch

    provider.finalize()
    on_cpu = not torch.cuda.is_available()
    model: list[Any] = provider.provide_distributed_model(
        wrap_with_ddp=False, data_parallel_random_init=False, use_cpu_initialization=on_cpu
    )
    return model


def fill_from_checkpoint(model: list[Any], checkpoint: Path, *, strict: bool = True) -> None:
    """Read the weights of a Megatron checkpoint into the model. JobError NMT862, NMT861."""
    from megatron.bridge.training.checkpointing import _load_model_weights_from_checkpoint

    try:
        _load_model_weights_from_checkpoint(str(checkpoint), model, strict=strict)
    except _misfits() as problem:
        raise _damaged(checkpoint, problem) or JobError(
            "NMT862",
            f"the checkpoint's weights do not fit the model: {_reason(problem)}",
            file=checkpoint,
            fix="hf_model_path=THE MODEL THAT THE TRAINING STARTED FROM",
        ) from problem


def fill_adapter(model: list[Any], checkpoint: Path, peft: Any) -> None:
    """Read an adapter's weights into a model that has it. JobError NMT864, NMT861."""
    from megatron.bridge.training import checkpointing
    from megatron.bridge.training.utils.pg_utils import get_pg_collection
    from megatron.core import dist_checkpointing
    from megatron.core.utils import unwrap_model

    parts = unwrap_model(model)
    peft.set_params_to_save(parts)
    common = dist_checkpointing.load_common_state_dict(str(checkpoint))
    metadata = dist_checkpointing.load_content_metadata(preloaded_state_dict=common)
    wanted = checkpointing._generate_model_state_dict(
        parts, {"metadata": metadata}, pg_collection=get_pg_collection(parts)
    )
    wanted = checkpointing.apply_peft_adapter_filter_to_state_dict(wanted, peft)
    try:
        found = dist_checkpointing.load(wanted, str(checkpoint))
    except _misfits() as problem:
        raise _damaged(checkpoint, problem) or JobError(
            "NMT864",
            f"the adapter does not fit the base: {_reason(problem)}",
            file=checkpoint,
            fix="base_hf_path=THE MODEL THAT THE ADAPTER WAS TRAINED ON",
        ) from problem
    for number, part in enumerate(parts):
        own = found["model" if len(parts) == 1 else f"model{number}"]
        part.load_state_dict(own, strict=False)


def _misfits() -> tuple[type[BaseException], ...]:
    """What loading raises when a checkpoint has other weights than the model; one is no Exception."""
    from megatron.core.dist_checkpointing.core import CheckpointingException
    from torch.distributed.checkpoint.api import CheckpointException

    return (CheckpointingException, CheckpointException, KeyError, RuntimeError, ValueError)


def _damaged(checkpoint: Path, problem: BaseException) -> JobError | None:
    """NMT861 where a shard has its length and is no tensors: a checkpoint that was copied badly."""
    first = _first(problem)
    if not isinstance(first, pickle.UnpicklingError | EOFError) and "PytorchStreamReader" not in str(first):
        return None
    return _not_whole(checkpoint, f"one of its shards is damaged ({type(first).__name__})", checkpoint)


def _not_whole(checkpoint: Path, why: str, file: Path, line: int | None = None) -> JobError:
    fix = "copy the checkpoint again, or take the iteration before it"
    return JobError("NMT861", f"{checkpoint} is not whole: {why}", file=file, line=line, fix=fix)


def _first(problem: BaseException) -> BaseException:
    """What went wrong in the first process that failed, where several report together."""
    failures = getattr(problem, "failures", None)
    found: BaseException = next(iter(failures.values()))[0] if failures else problem
    return found


def _reason(problem: BaseException) -> str:
    """The first line of what went wrong."""
    first = _first(problem)
    return (str(first).strip().splitlines() or [type(first).__name__])[0]


def empty(model: list[Any]) -> None:
    """Overwrite all weights, so that what is there later was read."""
    import torch

    with torch.no_grad():
        for part in model:
            for weights in part.parameters():
                weights.fill_(float("nan"))


def copies(model: list[Any]) -> list[dict[str, Any]]:
    """The weights that this process holds, by name, copied into the memory of the CPU."""
    return [
        {name: weights.detach().to("cpu", copy=True) for name, weights in part.named_parameters()}
        for part in model
    ]
