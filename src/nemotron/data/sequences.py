"""Token sequences on their way to shards: one file a chunk of input, sorted by shard. Writes and reads files.

A chunk's file is renamed into place when it is whole, so a run that was killed goes on with the next chunk. A
shard is read back in an order that depends on the conversations alone; what is kept in memory is where its
sequences lie (16 bytes each), not their tokens.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeAlias

import numpy as np

from nemotron.data.sources import Chunk
from nemotron.faults import boundary

Integers: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"
Tokens: TypeAlias = "np.ndarray[Any, np.dtype[np.uint32]]"
LEARNT = np.uint32(1 << 31)  # the bit of a stored token that says whether the next one is learnt

_TOKEN = np.dtype("<u4")
_OWNER = np.uint64(40)
_RECORD = np.dtype([("order", "<u8"), ("start", "<u8"), ("length", "<u4")])


class ChunkFile:
    """The sequences of one chunk: gathered by shard, then written as NAME.tokens, .records and .json."""

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / name
        self._orders: dict[int, list[int]] = {}
        self._tokens: dict[int, list[Tokens]] = {}

    @classmethod
    def of(cls, folder: Path, chunk: Chunk) -> Self:
        return cls(folder, chunk_name(chunk))

    def add(self, shard: int, order: int, tokens: Tokens) -> None:
        """Add a sequence to a shard, where `order` is its sort key."""
        self._orders.setdefault(shard, []).append(order)
        self._tokens.setdefault(shard, []).append(tokens)

    def write(self, shards: int, counts: Counter[str]) -> None:
        """Write everything; the .json, with the counts, comes last and makes it valid."""
        records = [np.zeros(len(self._orders.get(shard, ())), _RECORD) for shard in range(shards)]
        start = 0
        with open(self._partial(".tokens"), "wb") as stream:
            for shard, part in enumerate(records):
                sequences = self._tokens.pop(shard, [])
                part["order"] = self._orders.get(shard, [])
                part["length"] = [len(tokens) for tokens in sequences]
                part["start"] = start + np.cumsum(part["length"], dtype=np.uint64) - part["length"]
                start += int(part["length"].sum(dtype=np.uint64))
                if sequences:
                    stream.write(np.concatenate(sequences).astype(_TOKEN, copy=False))
        with open(self._partial(".records"), "wb") as stream:
            stream.write(np.cumsum([0, *map(len, records)], dtype="<u8"))
            stream.write(np.concatenate(records))
        self._partial(".json").write_text(json.dumps(counts), encoding="utf-8")
        for ending in (".tokens", ".records", ".json"):
            boundary()
            os.replace(self._partial(ending), self._path.with_name(self._path.name + ending))

    def _partial(self, ending: str) -> Path:
        return self._path.with_name(f".{self._path.name}{ending}")


@dataclass(frozen=True)
class ShardSequences:
    """Where the sequences of a shard lie, in their order. Lengths are in tokens, the last one included."""

    lengths: np.ndarray[Any, np.dtype[np.int32]]
    _chunks: list[Path]
    _places: np.ndarray[
        Any, np.dtype[np.uint64]
    ]  # the chunk's number above _OWNER bits, its first token below

    @classmethod
    def find(cls, folder: Path, shard: int, shards: int) -> Self:
        """The sequences of one of `shards` shards, in all chunks below `folder`."""
        chunks = chunk_files(folder)
        parts = [_records(chunk, shard, shards) for chunk in chunks]
        owners = np.repeat(np.arange(len(parts), dtype=np.uint64), [len(part) for part in parts])
        records = np.concatenate(parts) if parts else np.zeros(0, _RECORD)
        del parts
        order = np.argsort(records["order"], kind="stable")
        places = (owners << _OWNER | records["start"])[order]
        return cls(records["length"][order].astype(np.int32), chunks, places)

    def read(self, wanted: Integers) -> Tokens:
        """The tokens of some sequences, one after the other."""
        places = self._places[wanted]
        sizes = self.lengths[wanted].astype(np.int64) * _TOKEN.itemsize
        pieces = [b""] * len(places)
        owners = (places >> _OWNER).astype(np.int64)
        starts = (places & (np.uint64(1) << _OWNER) - np.uint64(1)).astype(np.int64) * _TOKEN.itemsize
        for owner in np.unique(owners).tolist():
            with open(self._chunks[owner].with_suffix(".tokens"), "rb", buffering=0) as stream:
                for number in np.flatnonzero(owners == owner).tolist():
                    pieces[number] = os.pread(stream.fileno(), int(sizes[number]), int(starts[number]))
        return np.frombuffer(b"".join(pieces), _TOKEN)


def chunk_name(chunk: Chunk) -> str:
    """A name that sorts as the chunks do."""
    return f"{chunk.source:04d}-{chunk.file:06d}-{chunk.start:016d}"


def chunk_files(folder: Path) -> list[Path]:
    """The chunks below a folder that are whole, in their order."""
    return sorted(folder.glob("[0-9]*.json"))


def chunk_counts(folder: Path, chunk: Chunk) -> Counter[str] | None:
    """What became of the conversations of a chunk that an earlier run finished; None if none did."""
    try:
        return Counter(json.loads((folder / f"{chunk_name(chunk)}.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def _records(chunk: Path, shard: int, shards: int) -> np.ndarray[Any, Any]:
    """What a chunk has for a shard. Where each shard's records begin stands at the beginning of the file."""
    path = chunk.with_suffix(".records")
    first, end = np.fromfile(path, "<u8", 2, offset=8 * shard).tolist()
    offset = 8 * (shards + 1) + first * _RECORD.itemsize
    return np.fromfile(path, _RECORD, end - first, offset=offset)
