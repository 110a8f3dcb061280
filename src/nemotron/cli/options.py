"""The arguments and options that say which step is meant, and with what: the same for every command."""

from __future__ import annotations

from typing import Annotated

import typer

from nemotron.cli import complete

Step = Annotated[
    str, typer.Argument(help="A step's id, or its unambiguous tail.", autocompletion=complete.step_ids)
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="Config keys to set; ~KEY deletes one."),
]
Config = Annotated[
    str,
    typer.Option("-c", "--config", help="A config's name, or a path.", autocompletion=complete.config_names),
]
Gpus = Annotated[int | None, typer.Option(min=0, help="GPUs in all; 0 runs on the CPU.")]
Nodes = Annotated[int | None, typer.Option(min=1, help="Machines to spread the GPUs over.")]
Strict = Annotated[bool, typer.Option("--strict", help="Take warnings for errors.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
