"""A pipeline as a graph, in Mermaid and in DOT."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import pytest
from at_hand import CATALOG, at_hand
from small import write

from nemotron.planning.pipeline import read_pipeline
from nemotron.reporting.graph import dot, graph_of, mermaid

__all__ = ["at_hand"]


@pytest.fixture
def graph(at_hand: Path) -> nx.DiGraph[str]:
    text = """
        version: 1
        have:
          pairs: {type: preference_jsonl, path: pairs.jsonl}
          base: {type: checkpoint_hf, path: base}
        steps:
          prep: {step: data_prep/rl_prep, inputs: {preference_jsonl: pairs}}
          dpo:
            step: rl/nemo_rl/dpo
            inputs: {train: prep.preference_train, policy: base}
    """
    return graph_of(read_pipeline(write(at_hand / "p.yaml", text), CATALOG), CATALOG)


def test_edges_carry_the_type_of_what_goes_along_them(graph: nx.DiGraph[str]) -> None:
    assert sorted(graph.edges(data="label")) == [
        ("base", "dpo", "checkpoint_hf"),
        ("pairs", "prep", "preference_jsonl"),
        ("prep", "dpo", "preference_jsonl"),
    ]
    assert graph.nodes["base"] == {"kind": "have", "label": "base\ncheckpoint_hf"}
    assert graph.nodes["dpo"] == {"kind": "step", "label": "dpo\nrl/nemo_rl/dpo"}
    assert nx.is_directed_acyclic_graph(graph)


def test_mermaid_has_rounded_haves_and_boxes_for_steps(graph: nx.DiGraph[str]) -> None:
    assert mermaid(graph).splitlines() == [
        "flowchart LR",
        '  n0(["pairs<br/>preference_jsonl"])',
        '  n1(["base<br/>checkpoint_hf"])',
        '  n2["prep<br/>data_prep/rl_prep"]',
        '  n3["dpo<br/>rl/nemo_rl/dpo"]',
        "  n0 -->|preference_jsonl| n2",
        "  n1 -->|checkpoint_hf| n3",
        "  n2 -->|preference_jsonl| n3",
    ]


def test_dot_has_every_node_and_edge(graph: nx.DiGraph[str]) -> None:
    lines = dot(graph).splitlines()
    assert (lines[0], lines[-1]) == ("digraph pipeline {", "}")
    assert '  "base" [shape=ellipse, label="base\\ncheckpoint_hf"];' in lines
    assert '  "dpo" [shape=box, label="dpo\\nrl/nemo_rl/dpo"];' in lines
    assert '  "prep" -> "dpo" [label="preference_jsonl"];' in lines


def test_what_has_a_meaning_in_a_label_is_escaped() -> None:
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_node("a", kind="step", label='say "x" <b> & #1')
    assert mermaid(graph).splitlines()[1] == '  n0["say #34;x#34; #60;b#62; #38; #35;1"]'
    assert '[shape=box, label="say \\"x\\" <b> & #1"]' in dot(graph)
