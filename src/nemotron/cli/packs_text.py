"""Packs as text for people: where conversations begin, what is learnt, how full a pack is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_LEARNT, _QUIET, _END = "\x1b[32m", "\x1b[2m", "\x1b[0m"


def pack_lines(sample: dict[str, Any], *, color: bool) -> Iterator[str]:
    """The packs of a sample. What is learnt is green, or stands in ⟦…⟧ without colour."""
    size = sample["pack_size"]
    mark = f"{_LEARNT}green{_END}" if color else "in ⟦…⟧"
    yield f"Learnt tokens are {mark}. {sample['packs_in_all']:,} packs in '{sample['split']}':"
    for pack in sample["packs"]:
        padding = size - pack["tokens"]
        count = len(pack["conversations"])
        yield ""
        yield (
            f"Pack {pack['number']}: {pack['tokens']:,} of {size:,} tokens in {count:,} "
            f"conversation{'' if count == 1 else 's'}, {padding:,} of padding behind them"
        )
        for number, told in enumerate(pack["conversations"], 1):
            padded = f", {told['padding']:,} of padding" if told["padding"] else ""
            yield _quiet(
                f"── {number}: {told['tokens']:,} tokens, {told['learnt']:,} learnt{padded} ──", color
            )
            yield "".join(_piece(piece, color) for piece in told["pieces"])


def _piece(piece: dict[str, Any], color: bool) -> str:
    # What the data says must not steer the terminal.
    text = "".join(
        char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}"
        for char in piece["text"]
    )
    if not piece["learnt"]:
        return text
    return f"{_LEARNT}{text}{_END}" if color else f"⟦{text}⟧"


def _quiet(text: str, color: bool) -> str:
    return f"{_QUIET}{text}{_END}" if color else text
