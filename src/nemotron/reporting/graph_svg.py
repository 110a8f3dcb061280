"""A pipeline's graph as SVG: boxes coloured by how their steps ended. Pure; the page has the colours."""

from __future__ import annotations

from collections.abc import Mapping

import networkx as nx

from nemotron.reporting.layout import LINE, Box, Layout, Line, lay_out
from nemotron.reporting.markup import Markup, element, number


def graph_svg(graph: nx.DiGraph[str], statuses: Mapping[str, str] | None = None) -> Markup:
    """The drawing; `statuses` maps a step to how it ended, which its box then says."""
    statuses = statuses or {}
    shown = graph.copy()
    for node, status in statuses.items():
        if node in shown:
            shown.nodes[node]["label"] += f"\n{status}"
    layout = lay_out(shown)
    kinds = {node: str(data.get("kind", "step")) for node, data in graph.nodes(data=True)}
    return element(
        "svg",
        element("title", "The pipeline's graph", id="graph-title"),
        element("desc", _told(graph, statuses), id="graph-desc"),
        [_line(line) for line in layout.lines],
        [
            _box(box, kinds[box.name], statuses.get(box.name, ""), shown.nodes[box.name])
            for box in layout.boxes
        ],
        role="img",
        aria_labelledby="graph-title graph-desc",
        class_="graph",
        viewbox=f"0 0 {number(layout.width)} {number(layout.height)}",
        style=_size(layout),
    )


def _size(layout: Layout) -> str:
    return f"--wide:{number(layout.width)}px"


def _told(graph: nx.DiGraph[str], statuses: Mapping[str, str]) -> str:
    """The graph in words, for who does not see it."""
    sentences = []
    for node, data in graph.nodes(data=True):
        sources = [f"{a} ({d.get('label', '')})" for a, _, d in graph.in_edges(node, data=True)]
        if data.get("kind") == "have":
            sentences.append(f"{node} is at hand.")
        else:
            status = f" {statuses[node]}" if node in statuses else ""
            sentences.append(f"Step {node}{status}" + (f", from {', '.join(sources)}." if sources else "."))
    return " ".join(sentences)


def _box(box: Box, kind: str, status: str, data: Mapping[str, str]) -> Markup:
    state = status.partition(" ·")[0].replace(" ", "-") if kind == "step" else "have"
    first = box.y + box.height / 2 - (len(box.lines) - 1) * LINE / 2
    texts = [
        element(
            "text",
            line,
            x=box.x + box.width / 2,
            y=first + number_of * LINE,
            class_="name"
            if number_of == 0
            else "state"
            if status and number_of == len(box.lines) - 1
            else None,
        )
        for number_of, line in enumerate(box.lines)
    ]
    return element(
        "g",
        element("title", str(data["label"]).replace("\n", " · ")),
        element(
            "rect",
            x=box.x,
            y=box.y,
            width=box.width,
            height=box.height,
            rx=box.height / 2 if kind == "have" else 6.0,
        ),
        texts,
        class_=f"node {kind} is-{state}" if state else f"node {kind}",
    )


def _line(line: Line) -> Markup:
    width, height = line.label_size
    middle, centre = line.label_at
    left, top = middle - width / 2, centre - height / 2
    label = [
        element("rect", x=left, y=top, width=width, height=height, class_="paper"),
        element("text", line.label, x=middle, y=centre),
    ]
    tip_x, tip_y = line.points[-1]
    corners = [(tip_x - 4, tip_y - 7), (tip_x, tip_y), (tip_x + 4, tip_y - 7)]
    tip = "M" + "L".join(f"{number(x)} {number(y)}" for x, y in corners)
    return element(
        "g",
        element("title", f"{line.source} → {line.target}: {line.label}"),
        element("path", d=_path(line)),
        element("path", d=tip),
        label if line.label else None,
        class_="edge",
    )


def _path(line: Line) -> str:
    """Upright at every point, so that a curve stays between the layers that it joins."""
    (x, y), *rest = line.points
    parts = [f"M{number(x)} {number(y)}"]
    for to_x, to_y in rest:
        half = number((y + to_y) / 2)
        if to_x == x:
            parts.append(f"L{number(to_x)} {number(to_y)}")
        else:
            parts.append(f"C{number(x)} {half} {number(to_x)} {half} {number(to_x)} {number(to_y)}")
        x, y = to_x, to_y
    return "".join(parts)
