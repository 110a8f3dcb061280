"""The files that a Hugging Face folder takes over from its base: tokenizer and config, byte for byte.

transformers rewrites them when it saves, in forms that its other major version reads wrongly or not at all.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from nemotron.backends.automodel.checkpoints import TOKENIZER_FILES
from nemotron.backends.hf_folder import read_config

COPIED_FILES = (*TOKENIZER_FILES, "generation_config.json", "chat_template.json")


def copy_tokenizer(base: Path, target: Path) -> None:
    """Copy the base's tokenizer files into a folder, which is made if it is not there."""
    target.mkdir(parents=True, exist_ok=True)
    _copy(base, target, TOKENIZER_FILES)


def copy_all(base: Path, target: Path, *, dtype: str | None = None, **changes: Any) -> None:
    """Put the base's own config and tokenizer files into a folder of converted weights.

    Of the config only `dtype` (unless None) and those keys of `changes` differ that the base tells. A model's
    own Python files go along.
    """
    _copy(base, target, COPIED_FILES)
    _copy(base, target, [file.name for file in base.glob("*.py")])
    shutil.copyfile(base / "config.json", target / "config.json")
    for file in target.glob("*.safetensors"):  # written so that only the owner may read them
        shutil.copymode(target / "config.json", file)
    told = read_config(target / "config.json")
    changed = {**told, **{key: value for key, value in changes.items() if key in told}}
    if dtype is not None:
        changed["dtype" if "dtype" in told else "torch_dtype"] = dtype
    if changed != told:
        (target / "config.json").write_text(json.dumps(changed, indent=2) + "\n", encoding="utf-8")


def _copy(base: Path, target: Path, names: tuple[str, ...] | list[str]) -> None:
    for name in names:
        (target / name).unlink(missing_ok=True)
        if (base / name).is_file():
            shutil.copyfile(base / name, target / name)
