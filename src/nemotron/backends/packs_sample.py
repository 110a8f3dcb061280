"""Shows packs: `python -m nemotron.backends.packs_sample FOLDER COUNT` prints a few as one JSON document.

Runs in the library's Python, started by the command line. Reads an artifact of data_prep/sft_packing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from nemotron.data.packed_files import Pack, read_packs, read_stats

SPLITS = ("train", "valid", "test")


def main(folder: Path, count: int) -> dict[str, Any]:
    """Packs from all over the first split that there is, with their conversations as text."""
    import tokenizers

    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer" / "tokenizer.json"))
    split = next(split for split in SPLITS if split in summary["splits"])
    eos = summary["eos"] if summary["pad_multiple"] > 1 else None
    packs = _spread(folder, split, summary["splits"][split]["packs"], count)
    return {
        "split": split,
        "packs_in_all": summary["splits"][split]["packs"],
        "pack_size": summary["pack_size"],
        "packs": [{"number": number, **_shown(pack, tokenizer, eos)} for number, pack in packs],
    }


def _spread(folder: Path, split: str, there: int, count: int) -> Iterator[tuple[int, Pack]]:
    """`count` packs of a split at even distances, with their numbers."""
    wanted = np.unique(np.linspace(0, there - 1, min(count, there)).round().astype(int)).tolist()
    shards = sorted((folder / split).glob("*.parquet"))
    if not shards:
        held = np.load(folder / f"{split}.npy", allow_pickle=True)
        yield from ((number, Pack(**held[number])) for number in wanted)
    first = 0
    for shard in shards:
        stats = read_stats(shard)
        assert stats is not None
        here = [number for number in wanted if first <= number < first + stats.packs]
        if here:
            for number, pack in enumerate(read_packs(shard), first):
                if number in here:
                    yield number, pack
        first += stats.packs


def _shown(pack: Pack, tokenizer: Any, eos: int | None) -> dict[str, Any]:
    """A pack's conversations, each as pieces of text that are learnt or not.

    `eos` is the token that conversations are padded with behind their own last one; None without padding.
    """
    bounds = [*pack.seq_start_id, len(pack.input_ids)]
    conversations = []
    for start, end in pairwise(bounds):
        others = np.flatnonzero(pack.input_ids[start:end] != eos)
        padding = 0 if eos is None else max(0, end - start - int(others[-1]) - 2)
        ids = pack.input_ids[start : end - padding]
        # The mask is that of the token that follows; the first token is never learnt.
        learnt = np.concatenate([[0], pack.loss_mask[start : end - padding - 1]])
        groups = (
            (kind, list(at))
            for kind, at in groupby(range(len(ids)), key=learnt.astype(bool).tolist().__getitem__)
        )
        pieces = [
            {"learnt": kind, "text": tokenizer.decode(ids[at].tolist(), skip_special_tokens=False)}
            for kind, at in groups
        ]
        conversations.append(
            {
                "tokens": end - start - 1,
                "padding": padding,
                "learnt": int(learnt.sum()),
                "pieces": pieces,
            }
        )
    return {"tokens": sum(told["tokens"] for told in conversations), "conversations": conversations}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]))))
