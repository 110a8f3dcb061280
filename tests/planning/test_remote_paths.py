"""The paths of a config, and what a cluster calls them."""

from __future__ import annotations

from pathlib import Path

import pytest
from envs import cluster
from small import SmallCatalog, chat, checkpoint

from nemotron.config.tree import join_key
from nemotron.planning.remote_paths import config_on_cluster, local_paths
from nemotron.planning.request import StepRequest

MANIFEST = """
    [[consumes]]
    type = "chat_jsonl"
    at = "data"
    many = true
    description = "Chats."

    [[consumes]]
    type = "checkpoint_hf"
    at = "model.path"
    required = false
    description = "A model."

    [[produces]]
    type = "scores"
    at = "output"
    description = "Scores."

    [[parameters]]
    key = "tasks"
    type = "path"
    description = "Where tasks lie."
"""


@pytest.fixture
def request_of(small: SmallCatalog, project: Path) -> StepRequest:
    default = """
        data: [chat.jsonl, {path: more.jsonl, weight: 2}]
        model: {path: base, name: Qwen/Qwen3-8B}
        output: out
        tasks: tasks
        root: /
        text: /no/such/path
        words: a/b
    """
    small.step("read/one", MANIFEST, default=default)
    chat(project / "chat.jsonl")
    checkpoint(project / "base")
    return small.request("read/one", f"extra={project}")


def test_every_path_of_this_machine_is_found(request_of: StepRequest, project: Path) -> None:
    assert {join_key(key): path for key, path in local_paths(request_of)} == {
        "data.0": project / "chat.jsonl",
        "data.1.path": project / "more.jsonl",
        "model.path": project / "base",
        "output": project / "out",
        "tasks": project / "tasks",
        "extra": project,
    }


def test_the_clusters_config_has_its_own_paths_and_ours_stays(request_of: StepRequest, project: Path) -> None:
    there = config_on_cluster(request_of, cluster(mounts=[f"{project}:/data"]))
    assert there["data"] == ["/data/chat.jsonl", {"path": "/data/more.jsonl", "weight": 2}]
    assert there["model"] == {"path": "/data/base", "name": "Qwen/Qwen3-8B"}
    assert (there["output"], there["tasks"], there["extra"]) == ("/data/out", "/data/tasks", "/data")
    assert (there["root"], there["text"], there["words"]) == ("/", "/no/such/path", "a/b")
    assert request_of.config.tree["output"] == str(project / "out")
