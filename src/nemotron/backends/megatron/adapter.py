"""A trained adapter in the PEFT layout: its weights, adapter_config.json, the base's tokenizer files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from nemotron.backends.carried_files import copy_tokenizer
from nemotron.backends.job import Job

FOLDER = "adapter"
_PEFT_PREFIX = "base_model.model."


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
