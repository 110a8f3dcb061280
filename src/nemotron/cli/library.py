"""`nemotron library list` and `install`: the environments of the training libraries."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nemotron.cli import complete
from nemotron.cli.output import print_json, short_path

if TYPE_CHECKING:
    from nemotron.libraries.inventory import Entry

LIST_EXAMPLES = "Example: `nemotron library list --json`"
INSTALL_EXAMPLES = (
    "Examples: `nemotron library install automodel` · `nemotron library install automodel --reinstall` · "
    "`nemotron library install megatron_bridge --without mamba_ssm --without causal_conv1d`"
)


class Build(StrEnum):
    """A build of torch, as `--torch` takes it."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


def list_command(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """List the libraries: installed or not, with which torch, and where."""
    from nemotron.libraries.inventory import inventory

    entries = inventory()
    if as_json:
        print_json({"libraries": [_as_dict(entry) for entry in entries]})
        return
    for entry in entries:
        print(f"{entry.library.name}  {entry.library.description.summary}")
        print(f"  {_state(entry)}")
        for folder in entry.left_over:
            print(f"  left over from another lock: {short_path(folder)} (rm -r removes it)")


def install_command(
    name: Annotated[str, typer.Argument(help="A library.", autocompletion=complete.library_names)],
    reinstall: Annotated[bool, typer.Option("--reinstall", help="Make it anew even if it is whole.")] = False,
    torch: Annotated[
        Build, typer.Option(help="The build of torch; auto is the one that fits the machine.")
    ] = Build.AUTO,
    without_parts: Annotated[
        list[str] | None,
        typer.Option("--without", help="An optional part that is not to be built.", metavar="PART"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document at the end.")] = False,
) -> None:
    """Install a library into an environment of its own; one that is whole is left alone."""
    from nemotron.libraries.install import install
    from nemotron.libraries.inventory import inventory

    found = install(
        name,
        lambda line: print(line, file=sys.stderr),
        reinstall=reinstall,
        torch=torch.value,
        without=without_parts or [],
    )
    if as_json:
        print_json({"library": next(_as_dict(e) for e in inventory() if e.library.name == found.name)})
    else:
        print(short_path(found.folder))


def _state(entry: Entry) -> str:
    """One line for people: what is there, or the command that puts it there."""
    from nemotron.libraries.environment import lacking

    if entry.environment is None and entry.library.elsewhere:
        return f"comes with {entry.library.elsewhere}; {entry.library.variable} names its Python"
    if entry.environment is None:
        return f"{entry.state}: nemotron library install {entry.library.name}"
    found = entry.environment
    told = f"installed: torch {found.torch}, Python {found.python_version}, {short_path(found.folder)}"
    without = [part.name for part in lacking(entry.library, found)]
    return f"{told}\n  without {', '.join(without)}" if without else told


def _as_dict(entry: Entry) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": entry.library.name,
        "summary": entry.library.description.summary,
        "license": entry.library.description.license,
        "lock": entry.library.lock_digest,
        "state": str(entry.state),
        "installed": entry.environment is not None,
        "elsewhere": str(entry.library.elsewhere) if entry.library.elsewhere else None,
        "folder": str(entry.folder) if entry.folder else None,
        "left_over": [str(folder) for folder in entry.left_over],
    }
    if (found := entry.environment) is not None:
        told |= {
            "python": str(found.python),
            "python_version": found.python_version,
            "torch": found.torch,
            "cuda": found.cuda,
            "created": found.created,
            "parts": found.parts,
        }
    return told
