"""`nemotron pipeline graph` in each of its languages."""

from __future__ import annotations

import json

import pytest
from catalogs.helpers import Nemotron
from catalogs.pipelines import Branches


@pytest.mark.parametrize(
    ("form", "beginning"),
    [("mermaid", "flowchart LR\n"), ("dot", "digraph pipeline {\n"), ("html", "<!DOCTYPE html>\n")],
)
def test_every_language_names_every_step(
    branches: Branches, nemotron: Nemotron, form: str, beginning: str
) -> None:
    done = nemotron("pipeline", "graph", "branches.yaml", "--format", form)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(beginning)
    for name in ("chat", "first", "left", "left_count", "right", "training_jsonl"):
        assert name in done.stdout


def test_as_data_it_has_nodes_and_edges(branches: Branches, nemotron: Nemotron) -> None:
    told = json.loads(nemotron("pipeline", "graph", "branches.yaml", "--json").stdout)
    assert [node["name"] for node in told["nodes"]] == ["chat", "first", "left", "left_count", "right"]
    assert {"from": "chat", "to": "first", "type": "training_jsonl"} in told["edges"]
