"""Turns documented things into training and evaluation records; pure functions, no files.

Held out by module: a top-level module is wholly on one side, and a description that stands on both
sides is removed from the held-out one.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from docstrings import Entry

SEED = 20
HELD_OUT_SHARE = 0.1  # of the chat entries
LARGEST_HELD_OUT = (
    0.02  # a module with more of them than this stays in training: it would be half of the test
)
SHORTEST_SUMMARY = 3  # words
LONGEST_SUMMARY = 200  # characters
CHOICES = 4

QUESTIONS = {
    "module": "What is the module {}?",
    "class": "What is the class {}?",
    "attribute": "What is {}?",
    "function": "What does {} do?",
    "method": "What does {} do?",
}


@dataclass(frozen=True)
class Split:
    """The two sides, and the names of the modules that are held out."""

    train: tuple[Entry, ...]
    valid: tuple[Entry, ...]
    held_out: tuple[str, ...]


def split_by_module(entries: Sequence[Entry]) -> Split:
    """Hold out whole modules until a tenth of the chat entries is held out."""
    sizes: dict[str, int] = {}
    for entry in entries:
        if is_chat_entry(entry):
            sizes[entry.family] = sizes.get(entry.family, 0) + 1
    total = sum(sizes.values())
    candidates = sorted(name for name, size in sizes.items() if size <= LARGEST_HELD_OUT * total)
    random.Random(SEED).shuffle(candidates)
    held_out: set[str] = set()
    while candidates and sum(sizes[name] for name in held_out) < HELD_OUT_SHARE * total:
        held_out.add(candidates.pop())
    train = tuple(entry for entry in entries if entry.family not in held_out)
    known = {_plain(text) for entry in train for text in (entry.text, entry.summary)}
    valid = tuple(
        entry
        for entry in entries
        if entry.family in held_out and known.isdisjoint({_plain(entry.text), _plain(entry.summary)})
    )
    return Split(train, valid, tuple(sorted(held_out)))


def is_chat_entry(entry: Entry) -> bool:
    """Whether one may ask about it: a public name whose first paragraph is a short description."""
    private = any(part.startswith("_") for part in entry.name.split("."))
    words = len(entry.summary.split())
    return not private and words >= SHORTEST_SUMMARY and len(entry.summary) <= LONGEST_SUMMARY


def text_record(entry: Entry) -> dict[str, str]:
    """A document for pretraining: the heading, then the whole docstring."""
    return {"text": f"{entry.kind} {entry.heading}\n{entry.text}"}


def chat_record(entry: Entry) -> dict[str, Any]:
    """One question and its answer, for fine-tuning."""
    return {
        "messages": [
            {"role": "user", "content": question(entry)},
            {"role": "assistant", "content": entry.summary},
        ]
    }


def question(entry: Entry) -> str:
    return QUESTIONS[entry.kind].format(entry.heading)


def choice_records(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """Which of four descriptions belongs to this function: one record per function or method.

    The three wrong ones describe functions of other modules and are those nearest in length among
    a few drawn at random, so that the length says nothing.
    """
    draw = random.Random(SEED)
    functions = [entry for entry in entries if entry.kind in ("function", "method")]
    records = []
    for entry in functions:
        others = {other.summary for other in functions if other.family != entry.family} - {entry.summary}
        if len(others) < CHOICES - 1:
            continue
        drawn = draw.sample(sorted(others), min(8 * CHOICES, len(others)))
        drawn.sort(key=lambda summary: abs(len(summary) - len(entry.summary)))
        choices = [entry.summary, *drawn[: CHOICES - 1]]
        draw.shuffle(choices)
        records.append(
            {"question": question(entry), "choices": choices, "answer": choices.index(entry.summary)}
        )
    return records


def _plain(text: str) -> str:
    return " ".join(text.lower().split())
