"""A trained adapter in the PEFT layout: its weights, adapter_config.json, the base's tokenizer files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from nemotron.backends.carried_files import copy_tokenizer
from nemotron.backends.job import Job, JobError
from nemotron.backends.megatron import world

FOLDER = "adapter"
_PEFT_PREFIX = "base_model.model."


def require_layers(job: Job, model: list[Any], targets: list[str]) -> None:
    """Say which layers got an adapter. JobError NMT850 where none did: nothing would be trained.

    All processes must call it: with a pipeline the layers of one may have none.
    """
    own = {
        name.split(".adapter.")[0].rpartition(".")[2]
        for part in model
        for name, _ in part.named_parameters()
        if ".adapter." in name
    }
    layers = sorted(world.gathered(own))
    if not layers:
        raise JobError(
            "NMT850",
            f"no layer of the model is called {' or '.join(targets)}: the adapter would be empty",
            fix="peft.target_modules=[linear_qkv, linear_proj, linear_fc1, linear_fc2]",
        )
    if job.is_main:
        print(f"adapters beside {', '.join(layers)}", flush=True)


def write(folder: Path, model: Any, bridge: Any, peft: Any, base: Path, job: Job) -> None:
    """Gather the adapter's weights from all processes; the main one writes them. All must call it."""
    weights = {
        _PEFT_PREFIX + name: tensor.contiguous().clone()
        for name, tensor in bridge.export_adapter_weights(model, cpu=True, show_progress=False)
    }
    if not job.is_main:
        return
    from safetensors.torch import save_file

    new = folder.with_name(f".{folder.name}.new")
    for leftover in (new, folder):
        shutil.rmtree(leftover, ignore_errors=True)
    new.mkdir(parents=True)
    save_file(weights, new / "adapter_model.safetensors", metadata={"format": "pt"})
    described = _peft_config(peft, list(weights), str(job.config["hf_model_path"]))
    (new / "adapter_config.json").write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
    copy_tokenizer(base, new)
    new.rename(folder)


def _peft_config(peft: Any, names: list[str], base: str) -> dict[str, Any]:
    """What peft wants to know to load the weights; the modules are those that got an adapter."""
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": peft.dim,
        "lora_alpha": peft.alpha,
        "lora_dropout": peft.dropout,
        "target_modules": sorted({name.split(".lora_")[0].rpartition(".")[2] for name in names}),
        "bias": "none",
        "use_rslora": False,
        "use_dora": False,
        "inference_mode": True,
    }
