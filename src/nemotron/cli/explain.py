"""`nemotron explain`: what a diagnostic code means."""

from __future__ import annotations

import textwrap
from typing import Annotated

import typer

from nemotron.cli.output import print_json, width

EXAMPLES = "Example: `nemotron explain NMT301`"


def command(
    code: Annotated[str | None, typer.Argument(help="A code; without it, all of them.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Explain a diagnostic code: when it is given, and what to do."""
    from nemotron.checking.codes import all_codes, find_code

    codes = [find_code(code)] if code else all_codes()
    if as_json:
        print_json(
            {"codes": [{"code": c.code, "title": c.title, "explanation": c.explanation} for c in codes]}
        )
        return
    for entry in codes:
        print(f"{entry.code}  {entry.title}")
        if code:
            print("\n".join(textwrap.wrap(" ".join(entry.explanation.split()), min(width(), 100))))
