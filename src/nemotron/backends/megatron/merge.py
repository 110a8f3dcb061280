"""convert/merge_lora for an adapter as Megatron-Bridge saves it: a folder iter_* with the adapter alone.

Builds base and adapter as training did, lets the library merge them as it exports, and compares what was
written with a merge of our own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from nemotron.backends.hf_folder import local_folder, read_config, require_safetensors
from nemotron.backends.job import Job, JobError, Output
from nemotron.backends.megatron import compare, hf_output, library, models, whole, world
from nemotron.backends.output import new_folder


def main(job: Job) -> list[Output]:
    """Run the step. JobError NMT340, NMT702, NMT704 and NMT860 to NMT864."""
    config = job.config
    without_cuda = library.prepare()
    adapter = whole.iteration(config["lora_checkpoint"], "lora_checkpoint")
    pretrained = config.get("base_megatron_path")
    checkpoint = whole.iteration(pretrained, "base_megatron_path") if pretrained else None
    base = local_folder(config["base_hf_path"], "base_hf_path")
    require_safetensors(base)
    dtype = _dtype(base, config.get("torch_dtype", "auto"))
    bridge = models.bridge_of(base, remote_code=False)
    provider = models.provider_of(bridge, world.Layout.of(config), dtype, without_cuda=without_cuda)
    models.take_vocabulary(provider, checkpoint or adapter)
    peft = _peft(adapter)
    output = Path(config["output_hf_path"])
    if job.is_main:
        new_folder(str(output), "output_hf_path")

    def with_adapter(model: list[Any]) -> list[Any]:
        if checkpoint is None:
            bridge.load_hf_weights(model)
        else:
            models.fill_from_checkpoint(model, checkpoint)
        tuned: list[Any] = peft(model, training=False)
        return tuned

    provider.register_pre_wrap_hook(with_adapter)
    with world.groups(provider):
        model = models.build(provider)
        models.fill_adapter(model, adapter, peft)
        hf_output.write_files(job, bridge, model, base, output)
        found = compare.merged(bridge, model, peft.alpha / peft.dim, output, is_main=job.is_main)
    if job.is_main:
        hf_output.record(output, found, dtype, adapter)
    return [Output("checkpoint_hf", output, {"dtype": dtype})]


def _dtype(base: Path, asked: str) -> str:
    """The number format to merge in; `auto` is the base's own."""
    if asked != "auto":
        return asked
    told = read_config(base / "config.json")
    return str(told.get("dtype") or told.get("torch_dtype") or "float32")


def _peft(adapter: Path) -> Any:
    """The library's adapter, of the kind and sizes that run_config.yaml tells. JobError NMT864."""
    from megatron.bridge.peft.canonical_lora import CanonicalLoRA
    from megatron.bridge.peft.lora import LoRA

    file = adapter / "run_config.yaml"
    try:
        told = yaml.safe_load(file.read_text(encoding="utf-8")).get("peft")
    except (OSError, yaml.YAMLError, AttributeError) as problem:
        raise JobError("NMT861", f"run_config.yaml does not read: {problem}", file=file) from problem
    # Only these classes are made, whatever the file names: it came with the checkpoint.
    kinds = {f"{kind.__module__}.{kind.__qualname__}": kind for kind in (LoRA, CanonicalLoRA)}
    named = told.get("_target_") if isinstance(told, Mapping) else None
    if named not in kinds:
        raise JobError(
            "NMT864",
            f"the checkpoint was trained with {named or 'no adapter'}: only LoRA is merged",
            file=file,
            fix="lora_checkpoint=THE FOLDER iter_* OF A PEFT TRAINING",
        )
    fields = {field.name for field in dataclasses.fields(kinds[named]) if field.init}
    plain = (str, int, float, bool, list)
    return kinds[named](**{key: told[key] for key in fields & set(told) if isinstance(told[key], plain)})
