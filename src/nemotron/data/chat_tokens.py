"""Conversations → token sequences with a loss mask, laid down chunk by chunk for the shards that they go to.

A sequence is stored as Megatron-Bridge 0.3.1 packs it: all tokens of the conversation, an EOS token if the
template ended with another one, and padding. The last token is a label only, so a sequence counts one token
less than it has. Each token carries in its top bit whether the *next* one is learnt.

Where a conversation goes follows from its content and the seed: equal ones fall into the same split.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from nemotron.backends.job import JobError
from nemotron.data.chat import ChatTemplate, Rendered, TemplateRefuses
from nemotron.data.conversations import Conversation, Fields, place_of, read_conversations
from nemotron.data.sequences import LEARNT, ChunkFile, Tokens
from nemotron.data.sources import Chunk
from nemotron.data.tokenizer import Tokenizer

SPLITS = ("train", "valid", "test")
BATCH_CONVERSATIONS = 256
WORD = 1 << 64


@dataclass(frozen=True)
class Recipe:
    """How conversations become sequences in shards. Lengths are in tokens.

    `shares` are of the conversations and `shards` of each split, in the order of SPLITS. `weights` are of the
    sources: below 1, the share of its conversations that is taken; above 1, how often each is trained on.
    """

    tokenizer: Tokenizer
    template: ChatTemplate
    fields: Fields
    eos: int
    pack_size: int
    pad_multiple: int
    overlong: str
    shares: tuple[float, float, float]
    shards: tuple[int, int, int]
    weights: tuple[float, ...]
    seed: int

    @property
    def most_tokens(self) -> int:
        """Tokens of the longest sequence, before it is padded."""
        return self.pack_size + 1 if self.pad_multiple == 1 else self.pack_size


def chunk_tokenizer(
    recipe: Recipe, spilled: Path, advance: Callable[[int, int], None]
) -> Callable[[Chunk], Counter[str]]:
    """What a worker process tokenises chunks with. `advance(bytes, tokens)` is called after each batch."""
    return ChunkTokenizer(recipe, spilled, advance).tokenize


class ChunkTokenizer:
    """Tokenises chunks in one process, each into a file of its own below `spilled`."""

    def __init__(self, recipe: Recipe, spilled: Path, advance: Callable[[int, int], None]) -> None:
        self._recipe = recipe
        self._spilled = spilled
        self._advance = advance
        self._encoder = recipe.tokenizer.encoder()
        self._key = recipe.seed.to_bytes(8, "little", signed=True)
        self._borders = _borders(recipe.shares)

    def tokenize(self, chunk: Chunk) -> Counter[str]:
        """Lay down the chunk's sequences; counts of conversations and tokens, by what became of them."""
        counts: Counter[str] = Counter()
        file = ChunkFile.of(self._spilled, chunk)
        for batch, read in _batches(read_conversations(chunk, self._recipe.fields)):
            counts["conversations_read"] += len(batch)
            before = counts["tokens"]
            for conversation, tokens in zip(batch, self._sequences(chunk, batch, counts), strict=True):
                if tokens is not None:
                    self._place(chunk, conversation, tokens, file, counts)
            self._advance(read, counts["tokens"] - before)
        file.write(sum(self._recipe.shards), counts)
        return counts

    def _sequences(
        self, chunk: Chunk, batch: list[Conversation], counts: Counter[str]
    ) -> Iterator[Tokens | None]:
        """The sequence of each conversation; None for one that is left out."""
        rendered = [self._render(chunk, conversation) for conversation in batch]
        for encoding, (text, spans) in zip(
            self._encoder.encodings([r.text for r in rendered]), rendered, strict=True
        ):
            tokens = self._cut(_with_loss(encoding, text, spans, self._recipe.eos), counts)
            if tokens is not None and not (tokens & LEARNT).any():
                counts["conversations_without_loss"] += 1
                tokens = None
            yield tokens

    def _render(self, chunk: Chunk, conversation: Conversation) -> Rendered:
        try:
            return self._recipe.template.render(conversation)
        except TemplateRefuses as problem:
            file, line = place_of(chunk, conversation)
            raise JobError(problem.code, str(problem), file=file, line=line, fix=problem.fix) from problem

    def _cut(self, tokens: Tokens, counts: Counter[str]) -> Tokens | None:
        """The sequence within a pack's length and padded, each token with the mark of the next."""
        recipe = self._recipe
        if len(tokens) > recipe.most_tokens:
            counts["conversations_overlong"] += 1
            if recipe.overlong == "drop":
                counts["tokens_cut_off"] += len(tokens)
                return None
            counts["tokens_cut_off"] += len(tokens) - recipe.most_tokens
            tokens = tokens[: recipe.most_tokens]
        padding = 0
        if recipe.pad_multiple > 1:
            padding = -len(tokens) % recipe.pad_multiple + 1
        ids = np.concatenate([tokens & ~LEARNT, np.full(padding, recipe.eos, tokens.dtype)])
        ids[: len(tokens) - 1] |= tokens[1:] & LEARNT
        return ids

    def _place(
        self, chunk: Chunk, conversation: Conversation, tokens: Tokens, file: ChunkFile, counts: Counter[str]
    ) -> None:
        """Put a sequence into its shard, or each of its copies into one."""
        content = blake2b(conversation.content(), digest_size=16, key=self._key).digest()
        drawn = int.from_bytes(content[:8], "little")
        split = next(split for split, border in self._borders if drawn < border)
        copies = self._copies(
            self._recipe.weights[chunk.source], int.from_bytes(content[8:], "little"), split
        )
        counts["conversations_left_out"] += copies == 0
        counts["conversations_repeated"] += max(0, copies - 1)
        counts["tokens"] += copies * (len(tokens) - 1)
        for copy in range(copies):
            # Equal conversations of different places are spread too.
            place = f"{chunk.source} {chunk.file} {conversation.position} {copy}".encode()
            drawn = int.from_bytes(blake2b(place, digest_size=16, key=content).digest(), "little")
            shard = sum(self._recipe.shards[:split]) + drawn % self._recipe.shards[split]
            file.add(shard, drawn >> 64, tokens)

    def _copies(self, weight: float, drawn: int, split: int) -> int:
        """How often a conversation is taken. What is held out is never repeated."""
        whole = int(weight)
        copies = whole + (drawn < (weight - whole) * WORD)
        return copies if SPLITS[split] == "train" else min(copies, 1)


def _borders(shares: tuple[float, float, float]) -> list[tuple[int, int]]:
    """Each split that has a share, and below which drawn number a conversation is its."""
    borders = [round(border * WORD) for border in accumulate(shares)]
    taken = [(split, borders[split]) for split, share in enumerate(shares) if share]
    return [*taken[:-1], (taken[-1][0], WORD)]


def _with_loss(encoding: Any, text: str, spans: list[tuple[int, int]], eos: int) -> Tokens:
    """The tokens of a text, EOS last, with the top bit set where a token holds any of the spans."""
    tokens = np.array(encoding.ids, np.uint32)
    for start, end in spans:
        while start < end and (first := encoding.char_to_token(start)) is None:
            start += 1  # a character that no token holds, as the tokenizer left it out
        while start < end and (last := encoding.char_to_token(end - 1)) is None:
            end -= 1
        if start < end:
            # One character may be several tokens; the span goes on to where the next character begins.
            following = encoding.char_to_token(end) if end < len(text) else len(tokens)
            tokens[first : max(last + 1, following or 0)] |= LEARNT
    if not len(tokens) or tokens[-1] & ~LEARNT != eos:
        # Learnt where the assistant's last turn had no mark of its own that ends it.
        learnt = tokens[-1] & LEARNT if len(tokens) else np.uint32(0)
        tokens = np.append(tokens, np.uint32(eos) | learnt)
    return tokens


def _batches(conversations: Iterator[Conversation]) -> Iterator[tuple[list[Conversation], int]]:
    """Conversations in lists, each with the bytes that were read for it."""
    batch: list[Conversation] = []
    read = 0
    for conversation in conversations:
        batch.append(conversation)
        if len(batch) == BATCH_CONVERSATIONS:
            yield batch, conversation.bytes_read - read
            batch, read = [], conversation.bytes_read
    if batch:
        yield batch, batch[-1].bytes_read - read
