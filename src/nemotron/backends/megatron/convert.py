"""convert/hf_to_megatron and convert/megatron_to_hf: the library converts, and we prove that it lost nothing.

Each reads its input, writes a folder that was new, reads that back and compares all weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nemotron.backends.carried_files import copy_tokenizer
from nemotron.backends.hf_folder import local_folder, require_safetensors
from nemotron.backends.job import Job, Output
from nemotron.backends.megatron import compare, hf_output, library, models, whole, world
from nemotron.backends.output import new_folder

_ITERATION = "iter_0000000"


def hf_to_megatron(job: Job) -> list[Output]:
    """Run convert/hf_to_megatron. JobError NMT340, NMT702, NMT704 and NMT860 to NMT863."""
    config = job.config
    without_cuda = library.prepare()
    base = _base(config)
    weights = hf_output.names(base)
    layout, dtype = world.Layout.of(config), config["torch_dtype"]
    bridge = models.bridge_of(base, remote_code=bool(config.get("trust_remote_code")))
    provider = models.provider_of(bridge, layout, dtype, without_cuda=without_cuda)
    output = Path(config["megatron_path"])
    if job.is_main:
        new_folder(str(output), "megatron_path")
    checkpoint = output / _ITERATION
    with world.groups(provider):
        model = models.build(provider)
        bridge.load_hf_weights(model)
        bridge.save_megatron_model(model, output, hf_tokenizer_path=base)
        models.empty(model)
        models.fill_from_checkpoint(model, checkpoint)
        exported = hf_output.counted(
            job, bridge.export_hf_weights(model, cpu=True, show_progress=False), len(weights)
        )
        found = compare.with_folder(exported, base, is_main=job.is_main)
    if job.is_main:
        copy_tokenizer(base, checkpoint / "tokenizer")
        hf_output.record(checkpoint, found, dtype, base)
    return [Output("checkpoint_megatron", checkpoint)]


def megatron_to_hf(job: Job) -> list[Output]:
    """Run convert/megatron_to_hf. JobError NMT340, NMT702, NMT704 and NMT860 to NMT863."""
    config = job.config
    without_cuda = library.prepare()
    newest = config.get("iteration") == "latest"
    checkpoint = whole.iteration(config["megatron_path"], "megatron_path", newest_of_run=newest)
    base = _base(config)
    dtype, remote_code = config["torch_dtype"], bool(config.get("trust_remote_code"))
    bridge = models.bridge_of(base, remote_code=remote_code)
    provider = models.provider_of(bridge, world.Layout.of(config), dtype, without_cuda=without_cuda)
    models.take_vocabulary(provider, checkpoint)
    output = Path(config["hf_path"])
    if job.is_main:
        new_folder(str(output), "hf_path")
    with world.groups(provider):
        model = models.build(provider)
        models.fill_from_checkpoint(model, checkpoint)
        found = hf_output.write(job, bridge, model, base, output, strict=bool(config.get("strict", True)))
    if job.is_main:
        hf_output.record(output, found, dtype, checkpoint)
    return [Output("checkpoint_hf", output)]


def _base(config: dict[str, Any]) -> Path:
    base = local_folder(
        config["hf_model_path"],
        "hf_model_path",
        config.get("revision"),
        code=bool(config.get("trust_remote_code")),
    )
    require_safetensors(base)
    return base
