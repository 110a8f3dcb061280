"""`nemotron runs remove`: a run's folder, and the artifacts that only it made and nobody took."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nemotron.cli import options
from nemotron.cli.output import print_json, short_path
from nemotron.cli.run_text import RunName
from nemotron.diagnostic import Failure, blocked

if TYPE_CHECKING:
    from nemotron.execution.removal import Removal
    from nemotron.execution.slurm.removal import LeftThere

EXAMPLES = (
    "Examples: `nemotron runs remove last` · `nemotron runs remove 20260401-1200 --yes` · "
    "`nemotron runs remove last --keep-remote`"
)


def command(
    run: RunName,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")] = False,
    keep_remote: Annotated[
        bool,
        typer.Option("--keep-remote", help="Leave what is on its cluster, which is not asked."),
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Remove a run and what it made below .nemotron/artifacts; on its cluster too, if it ran on one.

    What another run made too, or took as input, stays; so do files elsewhere, and what is still running.
    """
    from nemotron.execution.removal import removal_of, remove
    from nemotron.execution.store import Store
    from nemotron.reporting.runs import find_run

    store = Store.of_project()
    removal = removal_of(find_run(store, run), store, keep_remote=keep_remote)
    print(_text(removal), file=sys.stderr)
    if not yes and not _is_confirmed():
        fix = f"nemotron runs remove {removal.run.id} --yes"
        raise Failure(blocked("NMT812", "nothing was removed: it was not confirmed", fix=fix))
    size = removal.size
    remove(removal, store)
    if as_json:
        kept = {str(path): why for path, why in removal.kept.items()}
        artifacts = [str(path) for path in removal.artifacts]
        told = {"id": removal.run.id, "artifacts": artifacts, "kept": kept, "bytes": size}
        print_json({**told, "remote": _there_as_dict(removal.there)})
    else:
        print(f"Removed {removal.run.id}.")


def _there_as_dict(there: LeftThere | None) -> dict[str, Any] | None:
    if there is None:
        return None
    return {
        "host": there.cluster.host.name,
        "removed": [str(path) for path in there.removed],
        "kept": {str(path): why for path, why in there.kept.items()},
    }


def _text(removal: Removal) -> str:
    there = removal.there
    lines = [f"To be removed ({_size_text(removal.size)} here):"]
    lines += [f"  {short_path(path)}" for path in (removal.run.folder, *removal.artifacts)]
    lines += [f"  {path} on {there.cluster.host}" for path in there.removed] if there else []
    lines += [f"Kept: {short_path(path)} ({why})" for path, why in removal.kept.items()]
    if there is not None:
        lines += [f"Kept: {path} on {there.cluster.host} ({why})" for path, why in there.kept.items()]
    elif (left := removal.run.told().get("remote")) is not None:
        lines.append(f"Left on its cluster, with any job that still runs: {left}")
    return "\n".join(lines)


def _size_text(size: float) -> str:
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def _is_confirmed() -> bool:
    """Ask on a terminal; where there is none, nobody has said yes."""
    return sys.stdin.isatty() and typer.confirm("Remove it?", err=True)
