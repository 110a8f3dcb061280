"""`nemotron explain`: what a diagnostic code means."""

from __future__ import annotations

import dataclasses
import textwrap
from typing import Annotated

import typer

from nemotron.checking.codes import Code, all_codes, find_code
from nemotron.cli.output import print_json, width

EXAMPLES = "Example: `nemotron explain NMT301`"


def command(
    code: Annotated[str | None, typer.Argument(help="A code; without it, all of them.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Explain a diagnostic code: when it is given, and what to do."""
    codes = [find_code(code)] if code else all_codes()
    if as_json:
        print_json({"codes": [dataclasses.asdict(entry) for entry in codes]})
        return
    for entry in codes:
        print(f"{entry.code}  {entry.title}")
        if code:
            print("\n".join(textwrap.wrap(" ".join(entry.explanation.split()), min(width(), 100))))
            _print_example(entry)


def _print_example(entry: Code) -> None:
    if entry.example is None:
        return
    print("\nExample")
    for name, content in entry.example.files.items():
        print(f"\n  {name}" + ("" if content else " (an empty file)"))
        for line in content.splitlines():
            print(f"    {line}".rstrip())
    print(f"\n  $ {entry.example.command}")
