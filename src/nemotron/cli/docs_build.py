"""`nemotron docs build`: the generated pages and the schemas, written where they differ."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nemotron.cli import options
from nemotron.cli.output import print_diagnostics, print_json, short_path

EXAMPLES = "Examples: `nemotron docs build` · `nemotron docs build ../our-checkout`"
Root = Annotated[
    Path | None,
    typer.Argument(help="The root of a checkout; without it, the one that the command comes from."),
]


def command(root: Root = None, as_json: options.Json = False) -> None:
    """Write the generated pages of references/ and the schemas of all configs.

    Files that are up to date stay as they are. Run it after a change to a manifest, a type or a code.
    """
    from nemotron.cli.command_tree import all_commands
    from nemotron.diagnostic import exit_code
    from nemotron.reporting.references.build import checkout, generated, stale, write_all

    folder = checkout(root)
    files = generated(folder, all_commands())
    written = write_all(files)
    left = stale(folder, files)  # what only a person can mend: a config's first line
    print_diagnostics(left)
    if as_json:
        print_json({"written": [str(file) for file in written], "exit_code": exit_code(left)}, left)
    else:
        print("\n".join(f"wrote {short_path(file)}" for file in written) or "Everything is up to date.")
    raise typer.Exit(exit_code(left))
