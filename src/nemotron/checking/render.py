"""Diagnostics for people and for programs: the line, a caret, the fix. Reads the files that places name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nemotron.config.secrets import redact, redact_line
from nemotron.diagnostic import Diagnostic, Place, Severity

_COLORS = {Severity.ERROR: "31", Severity.BLOCKED: "35", Severity.WARNING: "33", Severity.NOTE: "36"}
_LONGEST_LINE = 160


def render(diagnostics: list[Diagnostic], *, color: bool = False) -> str:
    """The text of all diagnostics, in their order, with a count at the end when there are several."""
    blocks = [_block(d, color) for d in diagnostics]
    if len(diagnostics) > 1:
        counts = {s: sum(d.severity == s for d in diagnostics) for s in Severity}
        names = [f"{n} {_plural(s, n)}" for s, n in counts.items() if n]
        blocks.append(", ".join(names))
    return "\n\n".join(blocks)


def as_dict(diagnostic: Diagnostic) -> dict[str, Any]:
    """The same as data."""
    return {
        "code": diagnostic.code,
        "severity": str(diagnostic.severity),
        "summary": redact(diagnostic.summary),
        "detail": redact(diagnostic.detail),
        "where": _place_dict(diagnostic.where),
        "related": [{"where": _place_dict(r.place), "note": redact(r.note)} for r in diagnostic.related],
        "fix": redact(diagnostic.fix),
    }


def _block(diagnostic: Diagnostic, color: bool) -> str:
    paint = _Painter(color)
    head = paint(f"{diagnostic.severity}[{diagnostic.code}]", _COLORS[diagnostic.severity], bold=True)
    lines = [f"{head}: {paint(redact(diagnostic.summary), '', bold=True)}"]
    if diagnostic.where is not None:
        lines += _located(diagnostic.where, "-->", paint, _COLORS[diagnostic.severity])
    if diagnostic.detail:
        lines.append(f"   {paint('=', '34')} {redact(diagnostic.detail)}")
    for related in diagnostic.related:
        lines.append(f"   {paint('=', '34')} {redact(related.note)}:")
        lines += _located(related.place, "-->", paint, "34")
    if diagnostic.fix:
        lines.append(f"   {paint('fix:', '32', bold=True)} {redact(diagnostic.fix)}")
    return "\n".join(lines)


def _located(place: Place, arrow: str, paint: _Painter, color: str) -> list[str]:
    lines = [f"  {paint(arrow, '34')} {_name(place)}"]
    source = _source_line(place)
    if source is None or len(source) > _LONGEST_LINE or not place.column:
        return lines
    number = str(place.line or "")
    gutter = " " * max(2, len(number))
    caret = " " * (place.column - 1) + "^" * max(1, min(place.length, len(source) - place.column + 1))
    return [
        *lines,
        f"{gutter} {paint('|', '34')}",
        f"{number:>{len(gutter)}} {paint('|', '34')} {_printable(redact_line(source))}",
        f"{gutter} {paint('|', '34')} {paint(caret, color, bold=True)}",
    ]


def _name(place: Place) -> str:
    if place.argument is not None:
        return "the command line"
    file = Path(place.file or "?")
    try:
        shown = str(file.relative_to(Path.cwd()))
    except ValueError:
        shown = str(file)
    return ":".join([shown, *(str(n) for n in (place.line, place.column) if n)])


def _printable(line: str) -> str:
    """One column for each character, so that the caret stands right; a terminal obeys none of them."""
    return "".join(character if character.isprintable() else " " for character in line)


def _source_line(place: Place) -> str | None:
    if place.argument is not None:
        return place.argument if place.column else None
    if place.file is None or place.line is None:
        return None
    try:
        with open(place.file, encoding="utf-8", errors="replace") as stream:
            for number, line in enumerate(stream, start=1):
                if number == place.line:
                    return line.rstrip("\n")
    except OSError:
        pass
    return None


def _place_dict(place: Place | None) -> dict[str, Any] | None:
    if place is None:
        return None
    if place.argument is not None:
        return {"argument": redact_line(place.argument)}
    return {"file": place.file, "line": place.line, "column": place.column}


def _plural(severity: Severity, count: int) -> str:
    return str(severity) if severity is Severity.BLOCKED or count == 1 else f"{severity}s"


class _Painter:
    """ANSI colours, or none."""

    def __init__(self, color: bool) -> None:
        self.color = color

    def __call__(self, text: str, code: str, *, bold: bool = False) -> str:
        codes = ";".join(filter(None, ["1" if bold else "", code]))
        return f"\x1b[{codes}m{text}\x1b[0m" if self.color and codes else text
