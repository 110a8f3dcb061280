"""`nemotron docs check`: which generated pages and schemas are not what they would be now."""

from __future__ import annotations

import typer

from nemotron.cli import options
from nemotron.cli.docs_build import Root
from nemotron.cli.output import print_diagnostics, print_json

EXAMPLES = "Examples: `nemotron docs check` · `nemotron docs check ../our-checkout --json`"


def command(root: Root = None, as_json: options.Json = False) -> None:
    """Check that the generated pages and schemas are up to date; exit code 2 where one is not."""
    from nemotron.cli.command_tree import all_commands
    from nemotron.diagnostic import exit_code
    from nemotron.reporting.references.build import checkout, generated, stale

    folder = checkout(root)
    files = generated(folder, all_commands())
    problems = stale(folder, files)
    code = exit_code(problems)
    print_diagnostics(problems)
    if as_json:
        print_json({"files": len(files), "exit_code": code}, problems)
    elif not code:
        print(f"{len(files)} generated files: up to date")
    raise typer.Exit(code)
