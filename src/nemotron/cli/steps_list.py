"""`nemotron steps list`: the catalog, filtered."""

from __future__ import annotations

from typing import Annotated

import typer

from nemotron.catalog.catalog import Catalog, Step, default_catalog
from nemotron.cli import complete
from nemotron.cli.output import print_diagnostics, print_json, shorten, width
from nemotron.nearest import did_you_mean

EXAMPLES = (
    "Examples: `nemotron steps list --consumes training_jsonl` · `nemotron steps list --category eval --json`"
)


def command(
    category: Annotated[
        str | None, typer.Option(help="Only this category: the first part of the id.")
    ] = None,
    consumes: Annotated[
        str | None,
        typer.Option(help="Only steps that take this artifact type.", autocompletion=complete.type_names),
    ] = None,
    produces: Annotated[
        str | None,
        typer.Option(help="Only steps that make this artifact type.", autocompletion=complete.type_names),
    ] = None,
    tag: Annotated[str | None, typer.Option(help="Only steps with this tag.")] = None,
    library: Annotated[str | None, typer.Option(help="Only steps of this library.")] = None,
    tree: Annotated[bool, typer.Option("--tree", help="Group by category, with inputs and outputs.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """List the steps of the catalog.

    A type filter understands what is accepted where: `--consumes filtered_jsonl` also finds steps that take
    its parent type.
    """
    catalog = default_catalog()
    every, problems = catalog.steps()
    wanted = {
        "category": category,
        "consumes": consumes,
        "produces": produces,
        "tag": tag,
        "library": library,
    }
    found = [step for step in every if all(_fits(catalog, step, k, v) for k, v in wanted.items() if v)]
    hints = [] if found else _hints(catalog, every, {k: v for k, v in wanted.items() if v})
    print_diagnostics(problems)
    if as_json:
        print_json({"steps": [_as_dict(step) for step in found], "hints": hints}, problems)
    elif not found:
        print("No step matches.", *hints, sep="\n")
    elif tree:
        _print_tree(found)
    else:
        _print_table(found)


def _fits(catalog: Catalog, step: Step, name: str, value: str) -> bool:
    manifest, types = step.manifest, catalog.types
    match name:
        case "category":
            return step.category == value
        case "consumes":
            return value in types and any(types.accepts(p.type, value) for p in manifest.consumes)
        case "produces":
            return value in types and any(types.accepts(value, p.type) for p in manifest.produces)
        case "tag":
            return value in manifest.step.tags
        case _:
            return manifest.step.library == value


def _hints(catalog: Catalog, steps: list[Step], wanted: dict[str, str]) -> list[str]:
    """For each filter that no step meets by itself, the nearest value that one does."""
    known = {
        "category": {s.category for s in steps},
        "consumes": {p.type for s in steps for p in s.manifest.consumes},
        "produces": {p.type for s in steps for p in s.manifest.produces},
        "tag": {t for s in steps for t in s.manifest.step.tags},
        "library": {s.manifest.step.library or "" for s in steps},
    }
    hints = []
    for name, value in wanted.items():
        if any(_fits(catalog, step, name, value) for step in steps):
            continue
        near = did_you_mean(value, sorted(known[name]))
        hints.append(f"--{name} {value}: {near or 'there are ' + ', '.join(sorted(known[name]))}")
    return hints or ["Each filter matches some step, but no step matches all of them."]


def _print_table(steps: list[Step]) -> None:
    first = max(len(step.id) for step in steps) + 2
    for step in steps:
        print(f"{step.id:<{first}}{shorten(step.manifest.step.summary, width() - first)}")


def _print_tree(steps: list[Step]) -> None:
    category = None
    for step in steps:
        if step.category != category:
            category = step.category
            print(category)
        print(f"  {step.id.split('/', 1)[1]}: {shorten(step.manifest.step.summary, width() - 6)}")
        takes = ", ".join(p.type + ("" if p.required else "?") for p in step.manifest.consumes) or "nothing"
        makes = ", ".join(p.type for p in step.manifest.produces) or "nothing"
        print(f"    {takes} → {makes}")


def _as_dict(step: Step) -> dict[str, object]:
    manifest = step.manifest
    return {
        "id": step.id,
        "name": manifest.step.name,
        "summary": manifest.step.summary,
        "library": manifest.step.library,
        "tags": list(manifest.step.tags),
        "consumes": [{"name": p.name, "type": p.type, "required": p.required} for p in manifest.consumes],
        "produces": [{"name": p.name, "type": p.type} for p in manifest.produces],
        "configs": step.config_names(),
    }
