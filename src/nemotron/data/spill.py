"""Token documents on their way to shards: each worker appends to files of its own, one pair a shard.

A shard is then read back in an order that depends on the documents alone, never on which worker met
them when. What is kept in memory is the index of one shard (32 bytes a document), not its tokens.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

RECORD = np.dtype([("order", "<u8"), ("position", "<u8"), ("file", "<u4"), ("length", "<u4")])
FLUSH_TOKENS = 16 * 1024 * 1024


class Spill:
    """What one worker has tokenised. `folder` is the worker's own; token ids are written as `dtype`."""

    def __init__(self, folder: Path, dtype: str) -> None:
        self._folder = folder
        self._dtype = np.dtype(dtype)
        self._tokens: dict[str, list[np.ndarray[Any, Any]]] = {}
        self._records: dict[str, list[tuple[int, int, int, int]]] = {}
        self._held = 0
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, shard: str, order: int, file: int, position: int, ids: list[int]) -> None:
        """Append one document to a shard: `order` is its sort key there, `file` and `position` break ties."""
        self._tokens.setdefault(shard, []).append(np.array(ids, self._dtype))
        self._records.setdefault(shard, []).append((order, position, file, len(ids)))
        self._held += len(ids)
        if self._held >= FLUSH_TOKENS:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        for shard, tokens in self._tokens.items():
            with open(self._folder / f"{shard}.tokens", "ab") as stream:
                stream.write(np.concatenate(tokens))
            with open(self._folder / f"{shard}.records", "ab") as stream:
                stream.write(np.array(self._records[shard], RECORD))
        self._tokens, self._records, self._held = {}, {}, 0


def spilled_documents(folder: Path, shard: str, dtype: str) -> Iterator[np.ndarray[Any, Any]]:
    """The documents of one shard from all workers below `folder`, in their final order."""
    workers = sorted(path.parent for path in folder.glob(f"*/{shard}.records"))
    if not workers:
        return
    tokens = [np.memmap(worker / f"{shard}.tokens", np.dtype(dtype), "r") for worker in workers]
    records = [np.fromfile(worker / f"{shard}.records", RECORD) for worker in workers]
    owners = np.concatenate([np.full(len(part), number, np.int32) for number, part in enumerate(records)])
    starts = np.concatenate([np.cumsum(part["length"], dtype=np.int64) - part["length"] for part in records])
    joined = np.concatenate(records)
    # The sort is stable: the pieces of a document that was split stay in their order.
    for at in np.lexsort((joined["position"], joined["file"], joined["order"])):
        start = starts[at]
        yield tokens[owners[at]][start : start + joined["length"][at]]
