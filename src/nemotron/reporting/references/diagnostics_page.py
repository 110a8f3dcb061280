"""DIAGNOSTICS.md: every code by its range, with what it means and what ends it. Pure."""

from __future__ import annotations

from nemotron.checking.codes import RANGES, Code
from nemotron.reporting.references.markdown import (
    Lines,
    anchor,
    header,
    paragraph,
    points,
    prose,
)


def diagnostics_page(codes: list[Code]) -> Lines:
    """The lines of the page."""
    yield from header("Diagnostics", "`src/nemotron/checking/codes.toml`")
    yield from paragraph(
        "Every problem that a command reports has a code.",
        "`nemotron explain NMT301` prints what stands here, with an example where there is one.",
        "An *error* ends a command with exit code 2; *blocked*, where something is missing, with 3.",
    )
    ranges = {digit: [c for c in codes if c.code[3] == digit] for digit in RANGES}
    titles = {digit: f"NMT{digit}xx: {about}" for digit, about in RANGES.items()}
    yield from points(f"[{titles[d]}]({anchor(titles[d])}): {_count(found)}" for d, found in ranges.items())
    for digit, found in ranges.items():
        yield from (f"## {titles[digit]}", "")
        for entry in found:
            yield from (f"### {entry.code}: {prose(entry.title)}", "", prose(entry.explanation), "")


def _count(codes: list[Code]) -> str:
    return "1 code" if len(codes) == 1 else f"{len(codes)} codes"
