"""`nemotron steps list`: the catalog, filtered."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from nemotron.catalog.catalog import Catalog, default_catalog
from nemotron.catalog.summary import StepSummary
from nemotron.cli import complete
from nemotron.cli.output import print_diagnostics, print_json, shorten, width
from nemotron.diagnostic import exit_code
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
    its parent type. A manifest that cannot be read is an error, after the others.
    """
    catalog = default_catalog()
    every, problems = catalog.summaries()
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
    raise typer.Exit(exit_code(problems))


def _fits(catalog: Catalog, step: StepSummary, name: str, value: str) -> bool:
    match name:
        case "category":
            return step.category == value
        case "consumes":
            types = catalog.types
            return value in types and any(types.accepts(p.type, value) for p in step.consumes)
        case "produces":
            types = catalog.types
            return value in types and any(types.accepts(value, p.type) for p in step.produces)
        case "tag":
            return value in step.tags
        case _:
            return step.library == value


def _hints(catalog: Catalog, steps: list[StepSummary], wanted: dict[str, str]) -> list[str]:
    """For each filter that no step meets by itself, the nearest value that one does."""
    known = {
        "category": {s.category for s in steps},
        "consumes": {p.type for s in steps for p in s.consumes},
        "produces": {p.type for s in steps for p in s.produces},
        "tag": {t for s in steps for t in s.tags},
        "library": {s.library or "" for s in steps},
    }
    hints = []
    for name, value in wanted.items():
        if any(_fits(catalog, step, name, value) for step in steps):
            continue
        near = did_you_mean(value, sorted(known[name]))
        hints.append(f"--{name} {value}: {near or 'there are ' + ', '.join(sorted(known[name]))}")
    return hints or ["Each filter matches some step, but no step matches all of them."]


def _print_table(steps: list[StepSummary]) -> None:
    first = max(len(step.id) for step in steps) + 2
    for step in steps:
        print(f"{step.id:<{first}}{shorten(step.summary, width() - first)}")


def _print_tree(steps: list[StepSummary]) -> None:
    category = None
    for step in steps:
        if step.category != category:
            category = step.category
            print(category)
        print(f"  {step.id.split('/', 1)[1]}: {shorten(step.summary, width() - 6)}")
        takes = ", ".join(p.type + ("" if p.required else "?") for p in step.consumes) or "nothing"
        makes = ", ".join(p.type for p in step.produces) or "nothing"
        print(f"    {takes} → {makes}")


def _as_dict(step: StepSummary) -> dict[str, object]:
    return dataclasses.asdict(step)
