"""convert/merge_lora: a base checkpoint and a LoRA adapter → one checkpoint, merged by peft.

The folder that is written has the base's config and tokenizer files byte for byte, because transformers 5
saves both in a form that transformers 4 reads wrongly or not at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nemotron.backends.carried_files import copy_all
from nemotron.backends.hf_folder import local_folder, read_config, require_safetensors, tensor_shapes
from nemotron.backends.job import Job, JobError, Output
from nemotron.backends.output import new_folder
from nemotron.backends.progress_bars import reported

UNITS = {"Loading weights": "weights loaded", "Unloading and merging": "modules merged"}
MATRIX = re.compile(r"^base_model\.model\.(?P<module>.+)\.lora_(?P<part>[AB])\.weight$")


@dataclass(frozen=True)
class Adapter:
    """A LoRA adapter's folder, and for each module that it changes the (inputs, outputs) of its matrices."""

    folder: Path
    base_name: str | None
    modules: dict[str, tuple[int, int]]


def main(job: Job) -> list[Output]:
    """Run the step. JobError NMT340 to NMT344, NMT702 and NMT704."""
    adapter = read_adapter(Path(job.config["lora_checkpoint"]))
    _check_base_name(adapter, job.config["base_hf_path"])
    base = local_folder(job.config["base_hf_path"], "base_hf_path")
    require_safetensors(base)
    read_config(base / "config.json")
    output = new_folder(job.config["output_hf_path"], "output_hf_path")
    with reported(job, UNITS):
        model = _load(base, job.config.get("torch_dtype", "auto"), job.config.get("device", "cpu"))
        _check_fits(model, adapter, base)
        merged = _merge(model, adapter)
        print(f"merged {len(adapter.modules)} modules; writing {output}", flush=True)
        merged.save_pretrained(output)
    dtype = job.config.get("torch_dtype", "auto")
    tied = merged.config.tie_word_embeddings
    copy_all(base, output, dtype=None if dtype == "auto" else dtype, tie_word_embeddings=tied)
    _tell_lost_tensors(base, output, tied)
    return [Output("checkpoint_hf", output, {"dtype": str(merged.dtype).removeprefix("torch.")})]


def read_adapter(folder: Path) -> Adapter:
    """An adapter in the PEFT layout. JobError NMT340 or NMT343 when it is none, NMT702 when it is pickled."""
    config = read_config(folder / "adapter_config.json")
    if config.get("peft_type") != "LORA":
        raise JobError(
            "NMT343",
            f"the adapter is of type {config.get('peft_type')}, not LORA",
            file=folder / "adapter_config.json",
        )
    (file,) = require_safetensors(folder, "adapter_model.safetensors")
    sizes: dict[str, dict[str, int]] = {}
    for name, shape in tensor_shapes(file).items():
        if match := MATRIX.match(name):
            sizes.setdefault(match["module"], {})[match["part"]] = (
                shape[1] if match["part"] == "A" else shape[0]
            )
    modules = {name: (part["A"], part["B"]) for name, part in sizes.items() if len(part) == 2}
    if not modules:
        raise JobError(
            "NMT343",
            "the adapter has no LoRA matrices under the names that peft gives them",
            file=file,
            fix="save the adapter with peft, or with AutoModel's checkpoint.model_save_format=safetensors",
        )
    return Adapter(folder, config.get("base_model_name_or_path"), modules)


def _check_base_name(adapter: Adapter, given: str) -> None:
    """JobError NMT341 when the adapter and the config name two different models of the hub."""
    recorded = adapter.base_name
    if not recorded or recorded == given:
        return
    if not Path(recorded).is_absolute() and not Path(given).is_absolute():
        raise JobError(
            "NMT341",
            f"the adapter was trained on {recorded}, and the base given is {given}",
            file=adapter.folder / "adapter_config.json",
            fix=f"base_hf_path={recorded}",
        )
    print(f"the adapter names its base {recorded}; the base given is {given}", flush=True)


def _load(base: Path, dtype: str, device: str) -> Any:
    from transformers import AutoModelForCausalLM

    try:
        model = AutoModelForCausalLM.from_pretrained(base, dtype=dtype, use_safetensors=True)
    except (ValueError, OSError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise JobError("NMT344", f"transformers cannot load the base: {reason}", file=base) from error
    if device == "auto":
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
    return model.to(device).eval()


def _check_fits(model: Any, adapter: Adapter, base: Path) -> None:
    """JobError NMT341 or NMT342 unless every module of the adapter is in the model, in the same shape."""
    modules = dict(model.named_modules())
    if absent := sorted(set(adapter.modules) - set(modules)):
        raise JobError(
            "NMT341",
            f"the adapter changes modules that the base does not have: {_some(absent)}",
            file=adapter.folder / "adapter_config.json",
            fix="base_hf_path=THE MODEL THAT THE ADAPTER WAS TRAINED ON",
        )
    wrong = []
    for name, (inputs, outputs) in adapter.modules.items():
        module = modules[name]
        has = (getattr(module, "in_features", inputs), getattr(module, "out_features", outputs))
        if has != (inputs, outputs):
            wrong.append(f"{name} ({inputs} → {outputs}, in the base {has[0]} → {has[1]})")
    if wrong:
        raise JobError(
            "NMT342",
            f"the adapter's matrices do not fit the base {base.name}: {_some(wrong)}",
            file=adapter.folder / "adapter_config.json",
            fix="base_hf_path=THE MODEL THAT THE ADAPTER WAS TRAINED ON",
        )


def _merge(model: Any, adapter: Adapter) -> Any:
    from peft import PeftModel

    tuned = PeftModel.from_pretrained(model, adapter.folder)
    filled = {name for name, module in tuned.base_model.model.named_modules() if hasattr(module, "lora_A")}
    if lost := sorted(set(adapter.modules) - filled):
        raise JobError(
            "NMT343",
            f"the adapter's config leaves out modules that its weights have: {_some(lost)}",
            file=adapter.folder / "adapter_config.json",
            fix="correct target_modules there",
        )
    try:
        return tuned.merge_and_unload(progressbar=True, safe_merge=True)
    except ValueError as error:  # what safe_merge finds: weights that are no numbers
        raise JobError("NMT343", f"the adapter cannot be merged: {error}", file=adapter.folder) from error


def _tell_lost_tensors(base: Path, output: Path, tied: bool) -> None:
    """Say which weights of the base transformers did not load, and so did not save."""
    before, after = (
        {name for file in folder.glob("*.safetensors") for name in tensor_shapes(file)}
        for folder in (base, output)
    )
    lost = sorted(name for name in before - after if not (tied and name == "lm_head.weight"))
    if lost:
        print(f"left out, because transformers does not load them: {_some(lost)}", flush=True)


def _some(names: list[str]) -> str:
    more = f", and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
