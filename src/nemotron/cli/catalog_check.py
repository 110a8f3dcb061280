"""`nemotron catalog check`: manifests, types and shipped configs themselves, for people who write steps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nemotron.cli import options
from nemotron.cli.output import print_diagnostics, print_json

EXAMPLES = (
    "Examples: `nemotron catalog check` · `nemotron catalog check steps/sft/automodel` · "
    "`nemotron catalog check ../our-steps --json`"
)


def command(
    path: Annotated[
        Path | None,
        typer.Argument(help="A catalog's root, or a step's folder; without it, every catalog in use."),
    ] = None,
    strict: options.Strict = False,
    as_json: options.Json = False,
) -> None:
    """Check the manifests, types and configs of steps: for people who write them.

    A root of your own may add a types.toml; the shipped types apply as well.
    """
    from nemotron.catalog.catalog import default_catalog
    from nemotron.checking.catalog_check import catalog_of, check_catalog
    from nemotron.diagnostic import exit_code

    part = path.expanduser().resolve() if path else None
    catalog = catalog_of(part, default_catalog()) if part else default_catalog()
    checked = check_catalog(catalog, part)
    code = exit_code(checked.diagnostics, strict=strict)
    print_diagnostics(checked.diagnostics)
    if as_json:
        counts = {"steps": checked.steps, "types": checked.types}
        print_json({**counts, "exit_code": code}, checked.diagnostics)
    else:
        found = len(checked.diagnostics)
        problems = _count(found, "problem") if found else "no problem"
        print(f"{_count(checked.steps, 'step')}, {_count(checked.types, 'type')}: {problems}")
    raise typer.Exit(code)


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
