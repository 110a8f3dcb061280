"""A pipeline as a graph, and in the languages that draw one."""

from __future__ import annotations

from pathlib import Path

from catalogs.pipelines import Branches

from nemotron.catalog.catalog import default_catalog
from nemotron.planning.pipeline import read_pipeline
from nemotron.reporting.graph import dot, graph_of, mermaid

QUICKSTART = Path(__file__).resolve().parents[2] / "examples" / "quickstart" / "pipeline.yaml"
TWICE = """
version: 1
have:
  base: {type: checkpoint_hf, path: model}
  chat: {type: training_jsonl, path: chat.jsonl}
steps:
  tune: {step: peft/automodel, inputs: {training_jsonl: chat, validation: chat, base: base}}
"""


def test_haves_and_steps_are_nodes_and_edges_carry_types(branches: Branches) -> None:
    catalog = default_catalog()
    graph = graph_of(read_pipeline(branches.file, catalog), catalog)
    assert {node: data["kind"] for node, data in graph.nodes(data=True)} == {
        "chat": "have",
        "first": "step",
        "left": "step",
        "left_count": "step",
        "right": "step",
    }
    assert set(graph.edges.data("label")) == {
        ("chat", "first", "training_jsonl"),
        ("first", "left", "training_jsonl"),
        ("left", "left_count", "training_jsonl"),
        ("first", "right", "training_jsonl"),
    }


def test_what_one_step_takes_twice_from_another_is_one_edge_with_each_type_once(project: Path) -> None:
    file = project / "twice.yaml"
    file.write_text(TWICE, encoding="utf-8")
    catalog = default_catalog()
    graph = graph_of(read_pipeline(file, catalog), catalog)
    assert set(graph.edges.data("label")) == {
        ("chat", "tune", "training_jsonl"),
        ("base", "tune", "checkpoint_hf"),
    }


def test_the_quick_start_is_drawn_in_both_languages() -> None:
    catalog = default_catalog()
    graph = graph_of(read_pipeline(QUICKSTART, catalog), catalog)
    assert mermaid(graph).count("-->") == dot(graph).count(" -> ") == graph.number_of_edges() > 10
