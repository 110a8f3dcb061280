"""Facts of what lies on disk: recorded in artifact.json, or read off a checkpoint. Reads files.

A fact's value is a digest, a name or an integer. What is not at hand, a name on a hub, stands for itself:
`hub:ORG/NAME@REVISION`. Standard library only, as jobs on a cluster read facts too.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Any, Protocol

from nemotron.artifacts.digest import (
    chat_template_digest,
    content_digest,
    hash_of,
    model_digest,
    read_json_object,
    tokenizer_digest,
)
from nemotron.artifacts.record import FactValue, is_complete, read_record, record_path

_HUB_NAME = re.compile(r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$")
_FILE_SUFFIXES = (
    ".json",
    ".jsonl",
    ".gz",
    ".parquet",
    ".yaml",
    ".yml",
    ".txt",
    ".bin",
    ".idx",
    ".safetensors",
)
HUB = "hub:"


class FactKind(Protocol):
    """How a fact's value is read; `nemotron.catalog.types.FactType` is one."""

    @property
    def kind(self) -> str: ...


def is_hub_name(value: str) -> bool:
    """Whether a value that is no path on this machine reads as ORG/NAME on a hub.

    `data/train` in a folder that has `data` is a path that does not exist, not a name.
    """
    return (
        bool(_HUB_NAME.match(value))
        and not value.lower().endswith(_FILE_SUFFIXES)
        and not os.path.exists(value)
        and not os.path.exists(value.split("/")[0])
    )


def hub_identity(name: str, revision: str | None = None) -> str:
    return f"{HUB}{name}@{revision or 'main'}"


def hub_facts(name: str, revision: str | None = None) -> dict[str, FactValue]:
    """What a name on a hub stands for: its model, its tokenizer and its chat template."""
    return dict.fromkeys(("model", "tokenizer", "chat_template"), hub_identity(name, revision))


def is_unknown(value: FactValue) -> bool:
    """Whether a fact is only a name, so that it cannot be compared with a digest."""
    return isinstance(value, str) and value.startswith(HUB)


def input_digest(path: Path) -> str:
    """What stands for an input in a key: its record's digest while the files fit it, else their own.

    A file of an artifact's folder stands for the whole, but it is not another file of the same folder.
    """
    record = read_record(path)
    if record is None or not is_complete(path, record):
        return content_digest(path)
    is_part = path.is_file() and not record_path(path).is_file()
    return hash_of([record.digest, path.name]) if is_part else record.digest


def fact_from_value(kind: FactKind, value: Any) -> FactValue | None:
    """The fact that a config value states; None when it states none (absent, null, `???`)."""
    if value is None or value == "???":
        return None
    if kind.kind == "integer":
        return value if isinstance(value, int) and not isinstance(value, bool) else None
    if kind.kind == "name" or not isinstance(value, str):
        return str(value)
    # os.path, as a template's text is too long for the name of a file, which pathlib takes ill.
    if os.path.isdir(value):
        return _READERS[kind.kind](Path(value))
    if kind.kind == "chat_template":
        is_file = os.path.isfile(value)
        text = Path(value).read_text(encoding="utf-8", errors="replace") if is_file else value
        return hashlib.sha256(text.rstrip().encode()).hexdigest()
    return hub_identity(value) if is_hub_name(value) else None


def facts_on_disk(path: Path) -> dict[str, FactValue]:
    """Everything known about an artifact: its record's facts over what can be read off its files.

    A record that the files no longer fit says nothing.
    """
    facts = _checkpoint_facts(path) if path.is_dir() else {}
    record = read_record(path)
    fits = record is not None and is_complete(path, record)
    return {**facts, **(record.facts if record is not None and fits else {})}


def _checkpoint_facts(folder: Path) -> dict[str, FactValue]:
    found: dict[str, Any] = {
        "tokenizer": tokenizer_digest(folder),
        "chat_template": chat_template_digest(folder),
    }
    if (file := folder / "adapter_config.json").is_file():
        found["base_model"] = _base_of_adapter(read_json_object(file))
    elif (file := folder / "config.json").is_file():
        shape = read_json_object(file)
        found["model"] = model_digest(folder)
        found["vocab_size"] = shape.get("vocab_size")
        found["max_positions"] = shape.get("max_position_embeddings")
        found["dtype"] = shape.get("dtype") or shape.get("torch_dtype")
        found["format"] = "safetensors" if found["model"] else None
    return {name: value for name, value in found.items() if isinstance(value, str | int)}


def _base_of_adapter(config: dict[str, Any]) -> FactValue | None:
    base = config.get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        return None
    if os.path.isdir(base):
        return model_digest(Path(base))
    return hub_identity(base, config.get("revision")) if is_hub_name(base) else None


_READERS = {"tokenizer": tokenizer_digest, "chat_template": chat_template_digest, "model": model_digest}
