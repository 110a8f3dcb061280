"""A pipeline as a graph: haves, steps, the artifacts between them; as Mermaid or DOT. Pure."""

from __future__ import annotations

import json
import re

import networkx as nx

from nemotron.catalog.catalog import Catalog
from nemotron.planning.pipeline import Pipeline


def graph_of(pipeline: Pipeline, catalog: Catalog) -> nx.DiGraph[str]:
    """Nodes are haves and steps (`kind`, `label`), edges carry the artifacts' types (`label`)."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    for have in pipeline.haves.values():
        graph.add_node(have.name, kind="have", label=f"{have.name}\n{have.type}")
    for step in pipeline.steps:
        graph.add_node(step.name, kind="step", label=f"{step.name}\n{step.step}")
        for port, links in step.inputs.items():
            kind = catalog.step(step.step).consumes(port).type
            for link in links:
                before = str(graph.get_edge_data(link.name, step.name, {}).get("label", ""))
                kinds = dict.fromkeys([*before.split(", "), kind])
                graph.add_edge(link.name, step.name, label=", ".join(k for k in kinds if k))
    return graph


def as_data(graph: nx.DiGraph[str]) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """The nodes (`name`, `kind`, `label`) and the edges (`from`, `to`, `type`), as JSON has them."""
    nodes = [{"name": node, **data} for node, data in graph.nodes(data=True)]
    edges = [{"from": a, "to": b, "type": data["label"]} for a, b, data in graph.edges(data=True)]
    return nodes, edges


def from_data(nodes: list[dict[str, str]], edges: list[dict[str, str]]) -> nx.DiGraph[str]:
    """The graph that `as_data` was given."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    for node in nodes:
        graph.add_node(node["name"], kind=node["kind"], label=node["label"])
    for edge in edges:
        graph.add_edge(edge["from"], edge["to"], label=edge["type"])
    return graph


def mermaid(graph: nx.DiGraph[str]) -> str:
    """The graph as a Mermaid flowchart: haves are rounded, steps are boxes."""
    names = {node: f"n{number}" for number, node in enumerate(graph.nodes)}
    lines = ["flowchart LR"]
    for node, data in graph.nodes(data=True):
        opening, closing = ("([", "])") if data["kind"] == "have" else ("[", "]")
        lines.append(f"  {names[node]}{opening}{_quoted(data['label'])}{closing}")
    for source, target, data in graph.edges(data=True):
        lines.append(f"  {names[source]} -->|{data['label']}| {names[target]}")
    return "\n".join(lines) + "\n"


def dot(graph: nx.DiGraph[str]) -> str:
    """The graph in Graphviz's language."""
    lines = ["digraph pipeline {", "  rankdir=LR;"]
    for node, data in graph.nodes(data=True):
        shape = "ellipse" if data["kind"] == "have" else "box"
        lines.append(f"  {json.dumps(node)} [shape={shape}, label={json.dumps(data['label'])}];")
    for source, target, data in graph.edges(data=True):
        lines.append(f"  {json.dumps(source)} -> {json.dumps(target)} [label={json.dumps(data['label'])}];")
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(label: str) -> str:
    """A Mermaid label: quotes and angle brackets are entities there, a line break is a tag."""
    text = re.sub(r'["<>&#]', lambda found: f"#{ord(found[0])};", label)
    return '"' + text.replace("\n", "<br/>") + '"'
