"""What AutoModel leaves in its checkpoint folder, made into artifacts. Reads and completes that folder."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

from nemotron.backends.job import JobError, Output

# Every file that the tokenizers of transformers 4 and 5 read.
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
)
_STEP = re.compile(r"step_(\d+)$")


def finish(folder: Path, config: dict[str, Any]) -> Output:
    """Find the newest checkpoint of a training and complete it as an adapter or as a Hugging Face model."""
    newest = _newest(folder)
    match = _STEP.search(newest.name)
    facts: dict[str, str | int] = {"iteration": int(match.group(1)) + 1} if match else {}
    base = _base_folder(config)
    if config.get("peft"):
        adapter = newest / "model"
        _require(adapter / "adapter_model.safetensors")
        _name_base(adapter, config)
        _keep_tokenizer(adapter, base, config)
        return Output("checkpoint_lora", adapter, facts)
    model = newest / "model" / "consolidated"
    _require(model / "config.json")
    _keep_tokenizer(model, base, config)
    return Output("checkpoint_hf", model, facts)


def _newest(folder: Path) -> Path:
    """The checkpoint that LATEST points to: a link, or a text file where the file system has no links."""
    pointer = folder / "LATEST"
    if pointer.is_dir():
        return pointer.resolve()
    text = folder / "LATEST.txt"
    for file in (pointer, text):
        if file.is_file():
            return (folder / file.read_text(encoding="utf-8").strip()).resolve()
    raise JobError(
        "NMT802", f"the training left no checkpoint in {folder}", fix="set checkpoint.enabled=true"
    )


def _require(file: Path) -> None:
    if not file.is_file():
        raise JobError(
            "NMT802",
            f"the checkpoint lacks {file.name} in {file.parent}",
            fix="set checkpoint.model_save_format=safetensors and checkpoint.save_consolidated=final",
        )


def _base_folder(config: dict[str, Any]) -> Path | None:
    """The folder of the model that the training started from, on this disk or in the hub's cache."""
    model = config.get("model") or {}
    name = model.get("pretrained_model_name_or_path")
    if name is None and isinstance(model.get("config"), dict):
        name = model["config"].get("pretrained_model_name_or_path")
    if not name:
        return None
    if Path(name).is_dir():
        return Path(name)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True, allow_patterns=list(TOKENIZER_FILES)))
    except (LocalEntryNotFoundError, HfHubHTTPError):
        return None


def _keep_tokenizer(target: Path, base: Path | None, config: dict[str, Any]) -> None:
    """Copy the base's tokenizer files byte for byte: transformers 4 cannot load those that 5 writes."""
    if base is None or not any((base / name).is_file() for name in TOKENIZER_FILES):
        return
    for name in TOKENIZER_FILES:
        (target / name).unlink(missing_ok=True)
        if (base / name).is_file():
            shutil.copyfile(base / name, target / name)
    template = (config.get("dataset") or {}).get("chat_template")
    if template:
        text = Path(template).read_text(encoding="utf-8") if Path(template).is_file() else template
        (target / "chat_template.jinja").write_text(text, encoding="utf-8")


def _name_base(adapter: Path, config: dict[str, Any]) -> None:
    """Name the base in adapter_config.json, as peft wants it."""
    file = adapter / "adapter_config.json"
    _require(file)
    told = json.loads(file.read_text(encoding="utf-8"))
    name = (config.get("model") or {}).get("pretrained_model_name_or_path")
    if name and told.get("base_model_name_or_path") != name:
        told["base_model_name_or_path"] = name
        temporary = file.with_suffix(".new")
        temporary.write_text(json.dumps(told, indent=2), encoding="utf-8")
        os.replace(temporary, file)
