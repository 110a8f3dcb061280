"""Packs on disk: Parquet shards as newer releases of Megatron-Bridge read them, .npy files as 0.3.1 does.

A pack is `input_ids`, `loss_mask` (of the token that follows) and `seq_start_id` (where its sequences begin,
without the end of the last). Writes and reads files; what is written is renamed into place when it is whole.
"""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nemotron.data.packing import ALGORITHMS, Packs
from nemotron.data.sequences import LEARNT, Integers, ShardSequences
from nemotron.faults import boundary

ROW_GROUP = 500  # packs
_STATS = b"nemotron.packs"


class Pack(NamedTuple):
    """One pack as a trainer reads it."""

    input_ids: Integers
    loss_mask: Integers
    seq_start_id: list[int]


@dataclass(frozen=True)
class Stats:
    """What packs hold. Lengths are in tokens as they count towards the pack size.

    `tokens` are those of all sequences, padding between them included; `learnt` those with a loss.
    """

    packs: int
    sequences: int
    tokens: int
    learnt: int
    longest_sequence: int
    most_sequences: int
    shortest_pack: int

    @classmethod
    def total(cls, parts: list[Stats]) -> Stats:
        held = [part for part in parts if part.packs]
        summed = {
            name: sum(getattr(p, name) for p in parts) for name in ("packs", "sequences", "tokens", "learnt")
        }
        return cls(
            **summed,
            longest_sequence=max((part.longest_sequence for part in held), default=0),
            most_sequences=max((part.most_sequences for part in held), default=0),
            shortest_pack=min((part.shortest_pack for part in held), default=0),
        )

    def efficiency(self, pack_size: int) -> float:
        """How full the packs are, in percent."""
        return 100 * self.tokens / (self.packs * pack_size) if self.packs else 0.0

    def metadata(self, pack_size: int) -> dict[str, Any]:
        """The entry of a packed data set in the metadata file of Megatron-Bridge 0.3.1."""
        return {
            "dataset_max_seqlen": self.longest_sequence,
            "max_samples_per_bin": self.most_sequences,
            "packing_factor": round(self.sequences / self.packs, 2),
            "packing_efficiency": round(self.efficiency(pack_size), 2),
            "pack_size": pack_size,
            "min_packed_seqlen": self.shortest_pack,
        }


def pack_shard(spilled: Path, shards: int, algorithm: str, pack_size: int, task: tuple[int, Path]) -> Stats:
    """Write one of `shards` shards from what was laid down in `spilled`, unless an earlier run finished it.

    `task` is the shard's number and its file. No file is written for a shard that got no sequence.
    """
    number, file = task
    if (finished := read_stats(file)) is not None:
        return finished
    sequences = ShardSequences.find(spilled, number, shards)
    if not len(sequences.lengths):
        return Stats.total([])
    file.parent.mkdir(parents=True, exist_ok=True)
    return write_parquet(file, sequences, algorithm, pack_size)


def write_parquet(file: Path, sequences: ShardSequences, algorithm: str, pack_size: int) -> Stats:
    """Pack the sequences of a shard and write them, with what the shard holds in the file's own metadata."""
    import pyarrow
    import pyarrow.parquet

    counted = sequences.lengths - 1
    packs = ALGORITHMS[algorithm](counted, pack_size)
    fields = {"input_ids": pyarrow.int32(), "loss_mask": pyarrow.int8(), "seq_start_id": pyarrow.int32()}
    schema = pyarrow.schema([(name, pyarrow.list_(kind)) for name, kind in fields.items()])
    temporary = file.with_name(f".{file.name}")
    learnt = 0
    with pyarrow.parquet.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for first in range(0, len(packs), ROW_GROUP):
            columns = _columns(sequences, packs, first, min(first + ROW_GROUP, len(packs)))
            learnt += int(columns["loss_mask"][1].sum())
            arrays = [
                pyarrow.ListArray.from_arrays(pyarrow.array(offsets, pyarrow.int32()), pyarrow.array(values))
                for offsets, values in columns.values()
            ]
            writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema), row_group_size=ROW_GROUP)
        stats = _stats(counted, packs, learnt)
        writer.add_key_value_metadata({_STATS: json.dumps(asdict(stats)).encode()})
    boundary()
    os.replace(temporary, file)
    return stats


def read_stats(file: Path) -> Stats | None:
    """What a shard holds; None when the file is not there, and so not whole."""
    import pyarrow.parquet

    with suppress(FileNotFoundError):
        metadata = pyarrow.parquet.read_metadata(file).metadata
        return Stats(**json.loads(metadata[_STATS]))
    return None


def read_packs(file: Path) -> Iterator[Pack]:
    """The packs of a shard, a row group at a time."""
    import pyarrow.parquet

    shard = pyarrow.parquet.ParquetFile(file)
    for number in range(shard.num_row_groups):
        # One thread: each of Arrow's own would keep what it once allocated, for all shards together 30 MiB.
        group = shard.read_row_group(number, use_threads=False)
        columns = [column.combine_chunks() for column in group.columns]
        for ids, mask, starts in zip(*columns, strict=True):
            yield Pack(ids.values.to_numpy(), mask.values.to_numpy(), starts.as_py())


def write_npy(file: Path, shards: list[Path], count: int) -> None:
    """Write all packs of some shards as one .npy array of dicts, one row group in memory at a time."""
    header = {"descr": "|O", "fortran_order": False, "shape": (count,)}
    entries = (
        {"input_ids": pack.input_ids, "loss_mask": pack.loss_mask, "seq_start_id": pack.seq_start_id}
        for shard in shards
        for pack in read_packs(shard)
    )
    temporary = file.with_name(f".{file.name}")
    with open(temporary, "wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        pickler = pickle.Pickler(stream, protocol=4)
        pickler.fast = True  # no memo, which would hold every pack until the end
        pickler.dump(_ObjectArray(entries, count))
    boundary()
    os.replace(temporary, file)


class _ObjectArray:
    """Pickled as the NumPy array of objects that `entries` yields."""

    def __init__(self, entries: Iterator[Any], count: int) -> None:
        self._entries = entries
        self._count = count

    def __reduce__(self) -> tuple[Any, ...]:
        make, arguments, *_ = np.empty(0, object).__reduce__()
        return make, arguments, (1, (self._count,), np.dtype(object), False, _List(self._entries))


class _List:
    """Pickled as the list of what an iterator yields."""

    def __init__(self, entries: Iterator[Any]) -> None:
        self._entries = entries

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (), None, self._entries


def _columns(
    sequences: ShardSequences, packs: Packs, first: int, end: int
) -> dict[str, tuple[Integers, Integers]]:
    """Column → offsets of the rows and values, of some packs."""
    starts = packs.starts[first : end + 1]
    members = packs.order[starts[0] : starts[-1]]
    ends = np.concatenate([[0], np.cumsum(sequences.lengths[members], dtype=np.int64)])
    tokens = sequences.read(members)
    rows = starts - starts[0]
    offsets = ends[rows]
    within = ends[:-1] - np.repeat(offsets[:-1], np.diff(rows))
    return {
        "input_ids": (offsets, (tokens & ~LEARNT).astype(np.int32)),
        "loss_mask": (offsets, (tokens >> np.uint32(31)).astype(np.int8)),
        "seq_start_id": (rows, within.astype(np.int32)),
    }


def _stats(counted: Integers, packs: Packs, learnt: int) -> Stats:
    ends = np.concatenate([[0], np.cumsum(counted[packs.order], dtype=np.int64)])
    return Stats(
        packs=len(packs),
        sequences=len(counted),
        tokens=int(ends[-1]),
        learnt=learnt,
        longest_sequence=int(counted.max(initial=0)),
        most_sequences=int(np.diff(packs.starts).max(initial=0)),
        shortest_pack=int(np.diff(ends[packs.starts]).min(initial=ends[-1])),
    )
