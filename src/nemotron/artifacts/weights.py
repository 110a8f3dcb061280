"""Whether a sharded checkpoint has all its weights, by its index and its shards' headers. Reads only."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

from nemotron.artifacts.digest import read_json_object

INDEX = "model.safetensors.index.json"


def first_fault(folder: Path) -> tuple[Path, str] | None:
    """The file at fault and what is wrong with it; None where all is there, or the folder has no index."""
    index = folder / INDEX
    if not (content := read_json_object(index)):
        return None
    named = content.get("weight_map")
    if not isinstance(named, dict) or not named:
        return index, "names no weights: it has no 'weight_map'"
    for name in sorted(set(map(str, named.values()))):
        shard = folder / name
        if not shard.is_file():
            return index, f"names {name}, which is not there"
        held = _tensors(shard)
        if held is None:
            return shard, "is damaged or was not copied to its end"
        told = {tensor for tensor, file in named.items() if file == name}
        if lost := min(told - held, default=None):
            return shard, f"does not hold {lost}, which {INDEX} says"
        if lost := min(held - told, default=None):
            return index, f"does not name {lost}, which {name} holds"
    return None


def _tensors(file: Path) -> set[str] | None:
    """The names of the tensors of a safetensors file; None where the file is not whole."""
    try:
        with open(file, "rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            size = os.fstat(stream.fileno()).st_size
            header = json.loads(stream.read(length)) if length <= size else {}
        header.pop("__metadata__", None)
        end = max(entry["data_offsets"][1] for entry in header.values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error):
        return None
    return set(header) if 8 + length + end <= size else None
