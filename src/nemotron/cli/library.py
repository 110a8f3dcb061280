"""`nemotron library list` and `install`: the environments of the training libraries."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated, Any

import typer

from nemotron.cli import complete
from nemotron.cli.output import print_json, short_path

LIST_EXAMPLES = "Example: `nemotron library list --json`"
INSTALL_EXAMPLES = (
    "Examples: `nemotron library install automodel` · `nemotron library install automodel --reinstall`"
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
    from nemotron.libraries import environment, spec

    entries = [_entry(spec.load(name), environment.find(name)) for name in spec.names()]
    if as_json:
        print_json({"libraries": entries})
        return
    for entry in entries:
        print(f"{entry['name']}  {entry['summary']}")
        if entry["installed"]:
            print(f"  installed: torch {entry['torch']}, Python {entry['python']}")
            print(f"  {short_path(entry['folder'])}")
        else:
            print(f"  not installed: nemotron library install {entry['name']}")


def install_command(
    name: Annotated[str, typer.Argument(help="A library.", autocompletion=complete.library_names)],
    reinstall: Annotated[bool, typer.Option("--reinstall", help="Make it anew even if it is whole.")] = False,
    torch: Annotated[
        Build, typer.Option(help="The build of torch; auto is the one that fits the machine.")
    ] = Build.AUTO,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document at the end.")] = False,
) -> None:
    """Install a library into an environment of its own; one that is whole is left alone."""
    from nemotron.libraries import environment, spec
    from nemotron.libraries.install import install

    found = install(name, lambda line: print(line, file=sys.stderr), reinstall=reinstall, torch=torch.value)
    entry = _entry(spec.load(name), environment.find(name))
    if as_json:
        print_json({"library": entry})
    else:
        print(short_path(found.folder))


def _entry(library: Any, found: Any) -> dict[str, Any]:
    entry = {
        "name": library.name,
        "summary": library.description.summary,
        "license": library.description.license,
        "lock": library.lock_digest,
        "installed": found is not None,
    }
    if found is not None:
        entry |= {
            "torch": found.torch,
            "cuda": found.cuda,
            "python": found.python_version,
            "folder": str(found.folder),
            "created": found.created,
        }
    return entry
