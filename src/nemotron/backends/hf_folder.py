"""Checkpoints in the Hugging Face layout, as files: where they lie, what their weights are called.

Reads folders and the headers of safetensors files; fetches from the hub what is named and not a folder.
"""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

from nemotron.backends.job import JobError

PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
WANTED_OF_HUB = ["*.json", "*.safetensors", "*.jinja", "*.txt", "*.model", "*.tiktoken"]


def local_folder(name: str, key: str, revision: str | None = None, *, code: bool = False) -> Path:
    """The folder of a checkpoint that is a path or a name on the hub. JobError NMT340 when it is neither.

    `key` is the config key that named it. With `code` the Python that a model brings is fetched too.
    """
    if os.path.isdir(name):
        return Path(name)
    if os.path.isabs(name):
        raise JobError("NMT340", f"there is no checkpoint at {name}", fix=f"{key}=FOLDER")
    from huggingface_hub import snapshot_download

    try:
        wanted = [*WANTED_OF_HUB, *(["*.py"] if code else [])]
        return Path(snapshot_download(name, revision=revision, allow_patterns=wanted))
    except Exception as error:  # the hub's client raises errors of several libraries
        reason = str(error).strip().splitlines()[0]
        raise JobError(
            "NMT340", f"{name} is no folder, and the hub does not give it: {reason}", fix=f"{key}=FOLDER"
        ) from error


def require_safetensors(folder: Path, pattern: str = "*.safetensors") -> list[Path]:
    """The files with weights. JobError NMT702 when they are pickled, NMT340 when there are none."""
    if files := sorted(folder.glob(pattern)):
        return files
    pickled = [path for ending in PICKLED for path in folder.glob(ending)]
    if pickled:
        raise JobError(
            "NMT702",
            f"{folder} holds pickled weights ({pickled[0].name}), which are not loaded",
            file=pickled[0],
            fix="save the weights as safetensors",
        )
    raise JobError("NMT340", f"{folder} holds no weights: there is no {pattern} in it", file=folder)


def tensor_shapes(file: Path) -> dict[str, list[int]]:
    """The names and shapes of the tensors of a safetensors file, from its header alone."""
    with open(file, "rb") as stream:
        try:
            (length,) = struct.unpack("<Q", stream.read(8))
            header = json.loads(stream.read(length))
            return {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"}
        except (struct.error, ValueError, KeyError, MemoryError) as error:
            raise JobError("NMT340", f"{file.name} is not a safetensors file: {error}", file=file) from error


def read_config(file: Path) -> dict[str, Any]:
    """A checkpoint's JSON file. JobError NMT340 when it is not there or no JSON object."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise JobError("NMT340", f"{file.parent} is no checkpoint: {file.name} is not in it") from error
    except ValueError as error:
        raise JobError("NMT340", f"{file.name} is not JSON: {error}", file=file) from error
    if not isinstance(content, dict):
        raise JobError("NMT340", f"{file.name} holds no JSON object", file=file)
    return content
