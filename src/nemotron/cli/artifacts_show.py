"""`nemotron artifacts show`: what an artifact is, who made it, and the chain back to the sources."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nemotron.cli import options
from nemotron.cli.output import print_json, short_path, wants_color
from nemotron.cli.packs_text import pack_lines

if TYPE_CHECKING:
    from nemotron.artifacts.record import Artifact
    from nemotron.reporting.lineage import Ancestor

EXAMPLES = (
    "Examples: `nemotron artifacts show output/sft` · "
    "`nemotron artifacts show .nemotron/artifacts/sft-automodel-0123456789ab --json` · "
    "`nemotron artifacts show output/packed --sample 3`"
)


def command(
    path: Annotated[Path, typer.Argument(help="An artifact: a folder, or a file.", metavar="PATH")],
    sample: Annotated[
        int, typer.Option(min=0, metavar="N", help="Print N packs as text, with what is learnt marked.")
    ] = 0,
    as_json: options.Json = False,
) -> None:
    """Show an artifact: type, facts, files, the run that made it, and what it was made from."""
    from nemotron.execution.sample import sample as read_sample
    from nemotron.reporting.lineage import lineage

    found = lineage(path)
    assert found.record is not None
    packs = read_sample(Path(found.path), found.record, sample) if sample else None
    if as_json:
        print_json(_as_dict(found) | ({"sample": packs} if packs else {}))
        return
    if packs is None:
        print("\n".join(_lines(found, found.record)))
    else:
        print("\n".join(pack_lines(packs, color=wants_color(sys.stdout))))


def _lines(found: Ancestor, record: Artifact) -> Iterator[str]:
    yield f"{short_path(found.path)}: {found.type}" + (f" ({found.note})" if found.note else "")
    size = sum(entry.size for entry in record.files)
    count = len(record.files)
    yield f"  files     {count:,} file{'' if count == 1 else 's'}, {size:,} bytes"
    yield f"  digest    {record.digest}"
    yield f"  made      {record.created}, output '{record.port}'"
    made = record.producer
    yield f"  by        {made.step} (version {made.version}), run {made.run}, attempt {made.attempt}"
    yield f"  key       {made.key}"
    for name, value in sorted(record.facts.items()):
        yield f"  fact      {name}: {value}"
    yield "Made from:" if found.inputs else "Made from nothing."
    yield from _chain(found.inputs, 1)


def _chain(inputs: list[Ancestor], depth: int) -> Iterator[str]:
    for entry in inputs:
        # A hub's name or a URL is no path, though it may read like one.
        shown = short_path(entry.path) if entry.path.startswith("/") else entry.path
        by = f" by {entry.record.producer.step}, run {entry.record.producer.run}" if entry.record else ""
        note = f" ({entry.note})" if entry.note else ""
        yield f"{'  ' * depth}{entry.port}: {shown}, {entry.type}{by}{note}"
        yield from _chain(entry.inputs, depth + 1)


def _as_dict(entry: Ancestor) -> dict[str, Any]:
    told: dict[str, Any] = {"path": entry.path, "type": entry.type, "port": entry.port, "note": entry.note}
    if (record := entry.record) is not None:
        told |= {
            "port": entry.port or record.port,
            "facts": record.facts,
            "digest": record.digest,
            "created": record.created,
            "producer": asdict(record.producer),
            "files": [asdict(file) for file in record.files],
            "bytes": sum(file.size for file in record.files),
        }
    return {**told, "is_source": entry.record is None, "inputs": [_as_dict(e) for e in entry.inputs]}
