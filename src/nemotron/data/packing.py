"""Which sequences share a pack. Pure functions over arrays of lengths.

A pack holds at most `pack_size` tokens. The functions get the lengths of the sequences and return `Packs`;
every length must be between 1 and `pack_size`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

import numpy as np

from nemotron.data.sequences import Integers


@dataclass(frozen=True)
class Packs:
    """Which sequences are in which pack.

    `order` holds the positions of all sequences, pack by pack; pack `p` has those from `starts[p]` up to
    `starts[p + 1]`.
    """

    order: Integers
    starts: Integers

    def __len__(self) -> int:
        return len(self.starts) - 1

    def members(self, pack: int) -> Integers:
        return self.order[self.starts[pack] : self.starts[pack + 1]]


def concatenative(lengths: Integers, pack_size: int) -> Packs:
    """Sequences in their order: a pack ends before the first sequence that does not fit any more."""
    ends = np.cumsum(lengths, dtype=np.int64)
    starts, begin = [0], 0
    while begin < len(lengths):
        used = int(ends[begin - 1]) if begin else 0
        begin = int(np.searchsorted(ends, used + pack_size, side="right"))
        starts.append(begin)
    return Packs(np.arange(len(lengths)), np.array(starts))


def first_fit(lengths: Integers, pack_size: int) -> Packs:
    """Each sequence, in the order given, goes into the first pack that has room for it. O(n log n)."""
    bins: list[int] = []
    used = 0  # packs that are begun
    leaves = 1
    room = [0, pack_size]  # a binary tree: the most room of any pack below a node; a pack not begun is empty
    for length in lengths.tolist():
        if room[1] < length:
            room = _twice_as_wide(room, pack_size)
            leaves *= 2
        node = 1
        while node < leaves:
            node *= 2
            if room[node] < length:
                node += 1
        bins.append(node - leaves)
        used = max(used, node - leaves + 1)
        room[node] -= length
        while node > 1:
            node //= 2
            most = max(room[2 * node], room[2 * node + 1])
            if room[node] == most:
                break
            room[node] = most
    return _by_bin(np.array(bins, np.int64), np.arange(len(bins)), used)


def first_fit_decreasing(lengths: Integers, pack_size: int) -> Packs:
    """The longest first, each into the first pack that has room for it; the result of `first_fit` on them.

    Packs that were filled alike stand in runs, which sequences of one length fill one after the other. So
    the time hardly grows with the number of sequences, but with that of different lengths.
    """
    counts = np.bincount(lengths, minlength=1)
    placed, used = _fill_runs(counts, pack_size)
    first, packs, each = np.array(placed, np.int64).reshape(-1, 3).T
    sizes = packs * each
    within = np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    bins = np.repeat(first, sizes) + within // np.repeat(each, sizes)
    return _by_bin(bins, _longest_first(lengths, pack_size), used)


ALGORITHMS: dict[str, Callable[[Integers, int], Packs]] = {
    "first_fit_decreasing": first_fit_decreasing,
    # The order in which a shard keeps its sequences is a random one already.
    "first_fit_shuffle": first_fit,
    "concatenative": concatenative,
}


def _fill_runs(counts: Integers, pack_size: int) -> tuple[list[tuple[int, int, int]], int]:
    """Fill packs with `counts[length]` sequences of each length, the longest first.

    Returns what was placed, in this order: (first pack, how many packs, sequences into each of them), and how
    many packs there are. A run is (its first pack, how many packs, their room).
    """
    placed: list[tuple[int, int, int]] = []
    by_room: defaultdict[int, list[tuple[int, int, int]]] = defaultdict(list)
    with_room: list[tuple[int, int, int]] = []  # a heap of the runs that take the length at hand
    used, longer = 0, pack_size
    for length in np.flatnonzero(counts)[::-1].tolist():
        for room in range(length, longer):
            with_room.extend(by_room.pop(room, ()))
        heapify(with_room)
        longer, left = length, int(counts[length])
        while left:
            if not with_room:
                packs = -(-left // (pack_size // length))
                heappush(with_room, (used, packs, pack_size))
                used += packs
            first, packs, room = heappop(with_room)
            each = min(room // length, left)
            taken = min(packs, left // each)
            placed.append((first, taken, each))
            left -= taken * each
            rest = room - each * length
            if rest >= length:
                heappush(with_room, (first, taken, rest))
            else:
                by_room[rest].append((first, taken, rest))
            if taken < packs:
                heappush(with_room, (first + taken, packs - taken, room))
    return placed, used


def _longest_first(lengths: Integers, pack_size: int) -> Integers:
    """The positions of the sequences by falling length, equal ones in their order."""
    shortness = pack_size - lengths
    narrow = np.uint16 if pack_size < 1 << 16 else np.uint32  # sorted digit by digit: faster by far
    return np.argsort(shortness.astype(narrow), kind="stable")


def _by_bin(bins: Integers, sequences: Integers, count: int) -> Packs:
    """Sequences that were put into `bins`, one after the other, as packs."""
    order = sequences[np.argsort(bins, kind="stable")]
    starts = np.concatenate([[0], np.cumsum(np.bincount(bins, minlength=count))])
    return Packs(order, starts)


def _twice_as_wide(room: list[int], pack_size: int) -> list[int]:
    """The tree of `first_fit` with as many empty packs again to the right of its own."""
    wide, start = [0, pack_size], 1
    while start < len(room):
        wide += room[start : 2 * start] + [pack_size] * start
        start *= 2
    return wide
