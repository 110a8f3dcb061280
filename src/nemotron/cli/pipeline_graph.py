"""`nemotron pipeline graph`: a pipeline as Mermaid, DOT or a page."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from nemotron.cli.output import print_json
from nemotron.cli.pipeline_check import File

EXAMPLES = (
    "Examples: `nemotron pipeline graph pipeline.yaml --format dot | dot -Tsvg > pipeline.svg` · "
    "`nemotron pipeline graph pipeline.yaml --format html > pipeline.html`"
)


class Format(StrEnum):
    """The language of the graph."""

    MERMAID = "mermaid"
    DOT = "dot"
    HTML = "html"


def command(
    file: File,
    form: Annotated[Format, typer.Option("--format", help="The language of the graph.")] = Format.MERMAID,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Draw a pipeline: what is at hand, the steps, and what goes from one to the other."""
    from nemotron.catalog.catalog import default_catalog
    from nemotron.planning.pipeline import read_pipeline
    from nemotron.reporting.graph import as_data, dot, graph_of, mermaid

    catalog = default_catalog()
    graph = graph_of(read_pipeline(file, catalog), catalog)
    if as_json:
        nodes, edges = as_data(graph)
        print_json({"nodes": nodes, "edges": edges})
    elif form is Format.HTML:
        from nemotron.reporting.page import graph_page

        print(graph_page(file.stem, graph), end="")
    else:
        print(mermaid(graph) if form is Format.MERMAID else dot(graph), end="")
