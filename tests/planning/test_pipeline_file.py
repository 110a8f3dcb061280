"""A step's run as a pipeline file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small import SmallCatalog

from nemotron.config.yaml_places import parse_yaml
from nemotron.planning.pipeline_file import as_pipeline, to_yaml

PORTS = """
    [[consumes]]
    name = "data"
    type = "chat_jsonl"
    at = "data"
    many = true
    [[consumes]]
    name = "base"
    type = "checkpoint_hf"
    at = "model"
    [[consumes]]
    name = "judge"
    type = "endpoint"
    at = "judge"
    required = false
    [[produces]]
    type = "packs"
    at = "output"
"""


@pytest.fixture
def trainer(small: SmallCatalog, project: Path) -> SmallCatalog:
    small.step("train/one", PORTS, head="gpus = 2", default="data: null\nmodel: null\nlr: 1\nx: 1\n")
    return small


def test_a_run_of_one_step_is_a_pipeline_of_one_step(trainer: SmallCatalog, project: Path) -> None:
    arguments = ["data=[a.jsonl, b.jsonl]", "model=org/m", "judge=http://x/v1", "lr=1e-5", "~x"]
    pipeline = as_pipeline(trainer.request("train/one", *arguments))
    assert pipeline == {
        "version": 1,
        "want": "packs",
        "have": {
            "data_0": {"type": "chat_jsonl", "path": f"{project}/a.jsonl"},
            "data_1": {"type": "chat_jsonl", "path": f"{project}/b.jsonl"},
            "base": {"type": "checkpoint_hf", "hub": "org/m"},
            "judge": {"type": "endpoint", "url": "http://x/v1"},
        },
        "steps": {
            "train-one": {
                "step": "train/one",
                "config": "default",
                "inputs": {"data": ["data_0", "data_1"], "base": "base", "judge": "judge"},
                "set": {
                    "data": [f"{project}/a.jsonl", f"{project}/b.jsonl"],
                    "lr": 1e-5,
                    "~x": None,
                },
                "gpus": 2,
            }
        },
    }


def only_step(pipeline: dict[str, Any]) -> dict[str, Any]:
    (step,) = pipeline["steps"].values()
    assert isinstance(step, dict)
    return step


def test_paths_mean_the_same_in_any_folder(trainer: SmallCatalog, project: Path) -> None:
    arguments = ["data=[{path: a.jsonl, weight: 2}]", "output=out", "x=null"]
    step = only_step(as_pipeline(trainer.request("train/one", *arguments)))
    assert step["set"] == {
        "data": [{"path": f"{project}/a.jsonl", "weight": 2}],
        "output": f"{project}/out",
        "x": None,
    }


def test_a_list_of_a_config_is_set_as_no_input_says_that_it_is_one(
    trainer: SmallCatalog, project: Path
) -> None:
    (project / "mine.yaml").write_text("data: [a.jsonl]\nmodel: null\nlr: 1\nx: 1\n", encoding="utf-8")
    step = only_step(as_pipeline(trainer.request("train/one", config="./mine.yaml")))
    assert step["config"] == str(project / "mine.yaml")
    assert step["inputs"] == {"data": ["data"]}
    assert step["set"] == {"data": [f"{project}/a.jsonl"]}


def test_machines_are_kept(trainer: SmallCatalog) -> None:
    step = only_step(as_pipeline(trainer.request("train/one", "run.gpus=8", nodes=2)))
    assert (step["gpus"], step["nodes"], step["set"]) == (8, 2, {"run.gpus": 8})


def test_the_file_reads_back_as_the_pipeline(trainer: SmallCatalog) -> None:
    pipeline = as_pipeline(trainer.request("train/one", "data=a.jsonl", "lr='1e-5'", "x=no"))
    assert parse_yaml(to_yaml(pipeline), "f").tree == pipeline


def test_the_file_holds_no_secret(trainer: SmallCatalog) -> None:
    token = "hf_" + "a1" * 15
    arguments = ["data=a.jsonl", "judge_api_key=hunter2", f"x={token}", "y.password=[hunter2]"]
    text = to_yaml(as_pipeline(trainer.request("train/one", *arguments)))
    assert "hunter2" not in text
    assert token not in text
    assert text.count("<redacted>") == 3
