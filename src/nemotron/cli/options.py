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
Jobs = Annotated[
    int | None,
    typer.Option(
        "-j", "--jobs", min=1, help="Steps at once; without it, as many as there are GPUs and cores for."
    ),
]
Attached = Annotated[
    str | None,
    typer.Option(
        "--run",
        metavar="PROFILE",
        help="Run on this profile of env.toml, and stay until it ends.",
        autocompletion=complete.profile_names,
    ),
]
Batch = Annotated[
    str | None,
    typer.Option(
        "--batch",
        metavar="PROFILE",
        help="Hand it to this profile's scheduler, and come back.",
        autocompletion=complete.profile_names,
    ),
]
Yes = Annotated[bool, typer.Option("-y", "--yes", help="Submit to a cluster without asking.")]
Strict = Annotated[bool, typer.Option("--strict", help="Take warnings for errors.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
