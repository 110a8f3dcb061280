"""Tokenises documents into Megatron .bin and .idx shards, and writes the blend.json that lists them.

A document's shard follows from its text and the seed alone. So the result is the same for any number of
workers, equal documents fall into the same split, and more files do not move the documents of others.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from pathlib import Path

import numpy as np

from nemotron.data.documents import Document, read_documents
from nemotron.data.sources import Chunk, Source
from nemotron.data.spill import Spill, spilled_documents
from nemotron.data.tokenizer import Encoder, Tokenizer

SPLITS = ("train", "valid", "test")
BATCH_CHARACTERS = 1 << 19
MIX = 0x9E3779B97F4A7C15  # odd and without structure: spreads equal documents of different places
WORD = (1 << 64) - 1


@dataclass(frozen=True)
class Recipe:
    """How text becomes tokens in shards. Lengths are in tokens, BOS and EOS included.

    `shards` are per split. A document longer than `max_tokens` is cut into documents of their own
    (`split`), cut off (`truncate`) or left out (`drop`).
    """

    tokenizer: Tokenizer
    bos: int | None
    eos: int | None
    dtype: str
    text_field: str
    min_chars: int
    max_tokens: int | None
    overlong: str
    shards: tuple[int, int, int]
    seed: int


@dataclass(frozen=True)
class Shard:
    """One written shard: its prefix is `path` without .bin and .idx."""

    source: int
    split: str
    path: Path
    tokens: int
    documents: int


class ChunkTokenizer:
    """Tokenises chunks in one process. `advance(bytes, tokens)` is called after each batch of documents."""

    def __init__(self, recipe: Recipe, spill: Spill, advance: Callable[[int, int], None]) -> None:
        self._recipe = recipe
        self._spill = spill
        self._advance = advance
        self._encoder: Encoder = recipe.tokenizer.encoder()
        self._names = tuple(shard_names(recipe.shards))
        self._key = recipe.seed.to_bytes(8, "little", signed=True)

    def tokenize(self, chunk: Chunk) -> Counter[str]:
        """Spill the chunk's documents; counts of documents and tokens, by what became of them."""
        counts: Counter[str] = Counter()
        read = 0
        for documents in _batches(read_documents(chunk, self._recipe.text_field)):
            kept = [document for document in documents if len(document.text) >= self._recipe.min_chars]
            counts["documents_read"] += len(documents)
            counts["documents_too_short"] += len(documents) - len(kept)
            tokens = 0
            for document, ids in zip(kept, self._encoder([d.text for d in kept]), strict=True):
                tokens += self._place(chunk, document.position, document.text, ids, counts)
            counts["tokens"] += tokens
            self._advance(documents[-1].bytes_read - read, tokens)
            read = documents[-1].bytes_read
        self._spill.flush()
        self._advance(chunk.size - read, 0)
        return counts

    def _place(self, chunk: Chunk, position: int, text: str, ids: list[int], counts: Counter[str]) -> int:
        """Spill the pieces of one document into its shard; the number of tokens."""
        digest = blake2b(text.encode(errors="replace"), digest_size=16, key=self._key).digest()
        shard = self._names[int.from_bytes(digest[:8], "little") % len(self._names)]
        place = (chunk.file << 48 | position) * MIX & WORD
        order = int.from_bytes(digest[8:], "little") ^ place
        written = 0
        for piece in self._pieces(ids, counts):
            self._spill.add(f"{chunk.source}-{shard}", order, chunk.file, position, piece)
            written += len(piece)
        return written

    def _pieces(self, ids: list[int], counts: Counter[str]) -> list[list[int]]:
        """The documents that the tokens of one text become, each with its own BOS and EOS."""
        recipe = self._recipe
        before = [] if recipe.bos is None else [recipe.bos]
        after = [] if recipe.eos is None else [recipe.eos]
        room = len(ids) if recipe.max_tokens is None else recipe.max_tokens - len(before) - len(after)
        if not ids:
            counts["documents_too_short"] += 1
            return []
        counts["documents_overlong"] += len(ids) > room
        if len(ids) > room and recipe.overlong != "split":
            kept = room if recipe.overlong == "truncate" else 0
            counts["tokens_cut_off"] += len(ids) - kept
            ids = ids[:kept]
        return [before + ids[start : start + room] + after for start in range(0, len(ids), room)]


def chunk_tokenizer(
    recipe: Recipe, spilled: Path, advance: Callable[[int, int], None]
) -> Callable[[Chunk], Counter[str]]:
    """What a worker process tokenises chunks with; it spills to a folder of its own below `spilled`."""
    spill = Spill(spilled / f"worker-{os.getpid()}", recipe.dtype)
    return ChunkTokenizer(recipe, spill, advance).tokenize


def shard_names(shards: tuple[int, int, int]) -> Iterator[str]:
    """The names of all shards, `train_00000` first."""
    for split, count in zip(SPLITS, shards, strict=True):
        yield from (f"{split}_{number:05d}" for number in range(count))


def write_shard(spilled: Path, dtype: str, task: tuple[int, str, Path]) -> Shard | None:
    """Write PREFIX.bin and PREFIX.idx from what the workers spilled; None when the shard has no document.

    `task` is the number of the source, the name of the shard and PREFIX.
    """
    source, name, prefix = task
    documents = spilled_documents(spilled, f"{source}-{name}", dtype)
    if (first := next(documents, None)) is None:
        return None
    from nemo_automodel.components.datasets.llm.megatron.indexed_dataset import IndexedDatasetBuilder

    prefix.parent.mkdir(parents=True, exist_ok=True)
    builder = IndexedDatasetBuilder(f"{prefix}.bin", dtype=np.dtype(dtype).type)
    tokens, count = 0, 0
    for ids in chain([first], documents):
        builder.add_document(ids, [len(ids)])
        tokens, count = tokens + len(ids), count + 1
    builder.finalize(f"{prefix}.idx")
    return Shard(source, name.partition("_")[0], prefix, tokens, count)


def write_blend(file: Path, sources: Sequence[Source], shards: Sequence[Shard]) -> None:
    """Write blend.json: for each split the shards' prefixes, relative to the file.

    In `train` each prefix has its weight before it: the tokens of the shard, or, where the user weighted
    the inputs, its part of the input's weight. The other splits are read whole, so they have no weights.
    """
    blend: dict[str, list[str]] = {}
    for shard in shards:
        entry = [os.path.relpath(shard.path, file.parent)]
        if shard.split == "train":
            entry.insert(0, _weight(shard, sources[shard.source], shards))
        blend.setdefault(shard.split, []).extend(entry)
    temporary = file.with_name(f".{file.name}")
    temporary.write_text(json.dumps(blend, indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, file)


def _weight(shard: Shard, source: Source, shards: Sequence[Shard]) -> str:
    if source.weight is None:
        return str(shard.tokens)
    peers = sum(s.tokens for s in shards if (s.source, s.split) == (shard.source, shard.split))
    return repr(source.weight * shard.tokens / peers)


def _batches(documents: Iterator[Document]) -> Iterator[list[Document]]:
    """Documents in lists of about BATCH_CHARACTERS characters."""
    batch: list[Document] = []
    held = 0
    for document in documents:
        batch.append(document)
        held += len(document.text)
        if held >= BATCH_CHARACTERS:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch
