"""Every command with its flags, as the help prints them, for the page that lists them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from nemotron.reporting.references.commands_page import CommandHelp


def all_commands() -> list[CommandHelp]:
    """The commands of the command line, in the order of its help."""
    from nemotron.cli.app import app

    return list(_below(typer.main.get_command(app), ()))


def _below(command: Any, path: tuple[str, ...]) -> Iterator[CommandHelp]:
    for name, inner in sorted(getattr(command, "commands", {}).items()):
        yield from _below(inner, (*path, name))
    if path and not hasattr(command, "commands"):
        options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
        summary = (command.help or "").split("\n\n")[0]
        flags = tuple(max(option.opts, key=len) for option in options if "--help" not in option.opts)
        yield CommandHelp(" ".join(path), flags, " ".join(summary.split()))
