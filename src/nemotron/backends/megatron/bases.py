"""Megatron checkpoints of HF bases, converted once and kept: the library trains an adapter beside one.

They lie in the project's `.nemotron/cache/megatron/`, by the digest of the base's files. All processes of the
job convert together, in the layout of the training: what holds the model then holds it now.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from pathlib import Path
from typing import Any

from nemotron.backends.job import Job, JobError
from nemotron.backends.megatron import iterations, models, world
from nemotron.backends.megatron.start import Start
from nemotron.files import project_root

_KEPT_IN = Path(".nemotron") / "cache" / "megatron"
_ITERATION = "iter_0000000"
_BLOCK = 1 << 22
# Which layers a pipeline stage holds, where that is not the same number for each.
_STAGES = (
    "num_layers_in_first_pipeline_stage",
    "num_layers_in_last_pipeline_stage",
    "pipeline_model_parallel_layout",
)


def converted(job: Job, base: Path, bridge: Any, trained: Any, chosen: Start, *, without_cuda: bool) -> Start:
    """The start with a Megatron checkpoint of the base. `trained` is the model provider of the training."""
    if not job.config.get("load_hf_weights", True):
        raise JobError(
            "NMT848",
            "an adapter needs a base with weights, and load_hf_weights is false",
            fix="load_hf_weights=true",
        )
    kept = project_root(job.folder) / _KEPT_IN / digest(base)[:16]
    layout = world.Layout(
        trained.tensor_model_parallel_size,
        trained.pipeline_model_parallel_size,
        trained.expert_model_parallel_size,
        trained.expert_tensor_parallel_size or trained.tensor_model_parallel_size,
        trained.sequence_parallel,
    )
    dtype = "float32" if without_cuda else _dtype_of(trained)
    provider = models.provider_of(bridge, layout, dtype, without_cuda=without_cuda)
    for name in _STAGES:
        setattr(provider, name, getattr(trained, name))
    with world.groups(provider):
        new = _agreed(_where_to_convert(kept) if job.is_main else None)
        if new is not None:
            _convert(bridge, provider, base, new)
            if job.is_main and iterations.missing_from(kept / _ITERATION):
                new.rename(kept)
    words = chosen.words if chosen.iteration else f"{chosen.words}, converted once in {kept}"
    return dataclasses.replace(chosen, words=words, pretrained=kept / _ITERATION, hf_weights=False)


def digest(base: Path) -> str:
    """The digest of what a conversion reads: the config and the weights."""
    whole = hashlib.sha256()
    for file in sorted([base / "config.json", *base.glob("*.safetensors")]):
        whole.update(file.name.encode())
        with open(file, "rb") as stream:
            for block in iter(lambda: stream.read(_BLOCK), b""):
                whole.update(block)
    return whole.hexdigest()


def _where_to_convert(kept: Path) -> Path | None:
    """A new folder beside the one that is to be there; None when it is there already."""
    if not iterations.missing_from(kept / _ITERATION):
        return None
    kept.parent.mkdir(parents=True, exist_ok=True)
    return kept.with_name(f"{kept.name}.new-{os.getpid()}")


def _agreed(path: Path | None) -> Path | None:
    """What the main process decided, on every process."""
    import torch.distributed as distributed

    told = [str(path) if path else None]
    distributed.broadcast_object_list(told, src=0)
    return Path(told[0]) if told[0] else None


def _convert(bridge: Any, provider: Any, base: Path, new: Path) -> None:
    import torch
    from megatron.core.rerun_state_machine import destroy_rerun_state_machine

    model = models.build(provider)
    bridge.load_hf_weights(model)
    bridge.save_megatron_model(model, new, hf_tokenizer_path=str(base))
    del model
    torch.cuda.empty_cache()
    destroy_rerun_state_machine()  # saving makes one, and training insists on making its own


def _dtype_of(provider: Any) -> str:
    return str(provider.params_dtype).removeprefix("torch.")
