"""What the lm-eval tasks of the quick start share: reading the records beside them, and their metrics."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import datasets


def load(file: str, **_: Any) -> dict[str, datasets.Dataset]:
    """The records of a JSONL file in this folder, wherever the folder lies, as the split `test`."""
    import json

    lines = (Path(__file__).parent / file).read_text(encoding="utf-8").splitlines()
    return {"test": datasets.Dataset.from_list([json.loads(line) for line in lines])}


def answer_loss(doc: dict[str, Any], results: list[tuple[float, bool]]) -> dict[str, tuple[float, int]]:
    """Log likelihood of the reference answer (nats) beside what each metric divides it by."""
    log_likelihood, _ = results[0]
    per_token = (log_likelihood, doc["tokens"])
    return {"loss": per_token, "token_perplexity": per_token, "bits_per_byte": (log_likelihood, doc["bytes"])}


def mean_loss(pairs: Iterable[tuple[float, int]]) -> float:
    """Nats per token over all answers: the negative log likelihood of all by the tokens of all."""
    log_likelihoods, tokens = zip(*pairs, strict=True)
    return -sum(log_likelihoods) / sum(tokens)


def perplexity(pairs: Iterable[tuple[float, int]]) -> float:
    return math.exp(mean_loss(pairs))


def bits_per_byte(pairs: Iterable[tuple[float, int]]) -> float:
    return mean_loss(pairs) / math.log(2)
