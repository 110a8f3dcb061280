"""A tokenizer for many processes: loaded once as AutoTokenizer loads it, then handed on as one small file.

Imports transformers only in the process that loads; a worker needs no more than `tokenizers`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nemotron.backends.job import JobError


@dataclass(frozen=True)
class Tokenizer:
    """What a worker needs: `file` is a `tokenizer.json`, or None when only transformers can load `name`.

    `size` is one more than the largest token id. `bos` and `eos` are ids, None where there is no such token.
    """

    name: str
    file: Path | None
    size: int
    bos: int | None
    eos: int | None

    def encoder(self) -> Encoder:
        return Encoder(self)


class Encoder:
    """Encodes texts without adding special tokens, in this process and on one thread."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        self._fast: Any = None
        self._slow: Any = None
        if tokenizer.file is None:
            self._slow = load(tokenizer.name)
            return
        import tokenizers

        self._fast = tokenizers.Tokenizer.from_file(str(tokenizer.file))

    def __call__(self, texts: Sequence[str]) -> list[list[int]]:
        """The token ids of each text."""
        texts = [_valid_unicode(text) for text in texts]
        if self._fast is None:
            ids: list[list[int]] = self._slow(texts, add_special_tokens=False, verbose=False)["input_ids"]
            return ids
        return [encoding.ids for encoding in self._fast.encode_batch_fast(texts, add_special_tokens=False)]

    def encodings(self, texts: Sequence[str]) -> list[Any]:
        """Each text as a `tokenizers.Encoding`, which knows where in the text its tokens stand."""
        assert self._fast is not None
        found: list[Any] = self._fast.encode_batch(
            [_valid_unicode(t) for t in texts], add_special_tokens=False
        )
        return found


def load_tokenizer(name: str, folder: Path) -> Tokenizer:
    """The tokenizer that `name` (a path or a name on the hub) means; writes what workers need to `folder`.

    JobError NMT244 when it cannot be loaded.
    """
    return for_workers(load(name), name, folder)


def for_workers(loaded: Any, name: str, folder: Path) -> Tokenizer:
    """What workers need of a tokenizer that `load` gave; its rules go to a file in `folder`."""
    file = None
    if getattr(loaded, "is_fast", False):
        backend = loaded.backend_tokenizer
        backend.no_truncation()
        backend.no_padding()
        file = folder / "tokenizer.json"
        backend.save(str(file))
    size = max(loaded.get_vocab().values()) + 1
    return Tokenizer(name, file, size, loaded.bos_token_id, loaded.eos_token_id)


def load(name: str) -> Any:
    """The tokenizer as transformers loads it. JobError NMT244 when it cannot be loaded."""
    if os.path.isabs(name) and not os.path.exists(name):
        raise JobError("NMT244", f"there is no tokenizer at {name}", fix="tokenizer.model=PATH")
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(name)
    except Exception as error:  # transformers raises whatever the parser of the moment raises
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise JobError(
            "NMT244",
            f"the tokenizer {name} cannot be loaded: {reason}",
            fix="tokenizer.model=PATH of a folder with tokenizer.json, or a name that the hub knows",
        ) from error


def _valid_unicode(text: str) -> str:
    """JSON may escape half of a surrogate pair, which no tokenizer takes: it becomes a question mark."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text
