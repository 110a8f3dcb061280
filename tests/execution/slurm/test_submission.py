"""What a job is told: keys that need no finished inputs, paths as the cluster knows them, its orders."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from catalogs.helpers import FAKE, write_chat
from catalogs.pipelines import LINKS

from nemotron.catalog.catalog import default_catalog
from nemotron.execution.pipeline_result import EVERYTHING, Wanted
from nemotron.execution.slurm.submission import Placed, job_spec, orders, place, size
from nemotron.execution.store import Attempt
from nemotron.planning.pipeline import read_pipeline, requests
from nemotron.profiles.profile import Profile


def profile(**keys: Any) -> Profile:
    whole = {"name": "p", "file": Path("env.toml"), "executor": "slurm", "remote_job_dir": "/shared", **keys}
    return Profile.model_validate(whole)


@pytest.fixture
def steps_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEMOTRON_STEPS_PATH", f"{FAKE}:{LINKS}")


def placed(project: Path, *, times: int = 2, **keys: Any) -> dict[str, Placed]:
    """A chain of two steps, placed."""
    write_chat(project / "chat.jsonl", 3)
    whole = {
        "version": 1,
        "want": "eval_results",
        "have": {"chat": {"type": "training_jsonl", "path": "chat.jsonl"}},
        "steps": {
            "more": {"step": "link/repeat", "inputs": {"training_jsonl": "chat"}, "set": {"times": times}},
            "count": {"step": "test/word_count", "inputs": {"training_jsonl": "more"}},
        },
    }
    file = project / "pipeline.yaml"
    file.write_text(json.dumps(whole), encoding="utf-8")
    catalog = default_catalog()
    pipeline = read_pipeline(file, catalog)
    pipeline.profile = profile(**keys)
    return {step.name: step for step in place(list(requests(pipeline, catalog)))}


def told(steps: dict[str, Placed], name: str, wanted: Wanted = EVERYTHING) -> dict[str, Any]:
    attempts = {step: Attempt(Path("/here/runs/r") / step / "1") for step in steps}
    job = job_spec(steps[name], f"nmt-r-{name}", PurePosixPath("/shared/r"), attempts[name])
    return orders(steps[name], job, attempts, wanted)


@pytest.mark.usefixtures("steps_path")
def test_the_same_pipeline_finds_the_same_folders(project: Path) -> None:
    first, again = placed(project), placed(project)
    assert {name: step.outputs for name, step in first.items()} == {n: s.outputs for n, s in again.items()}
    assert first["more"].outputs["output"].startswith("/shared/artifacts/link-repeat-")


@pytest.mark.usefixtures("steps_path")
def test_what_changes_a_step_changes_the_key_of_those_after_it(project: Path) -> None:
    before, after = placed(project), placed(project, times=3)
    assert before["more"].key != after["more"].key
    assert before["count"].key != after["count"].key


@pytest.mark.usefixtures("steps_path")
def test_paths_are_those_of_the_cluster(project: Path) -> None:
    steps = placed(project, host="login", python="/opt/python", mounts=[f"{project}:/data"])
    entry = told(steps, "more")["inputs"][0]
    assert entry["path"] == "/data/chat.jsonl"
    assert len(entry["digest"]) == 64
    assert steps["more"].config["data"] == "/data/chat.jsonl"


@pytest.mark.usefixtures("steps_path")
def test_an_input_that_is_not_made_yet_is_looked_up_in_the_job(project: Path) -> None:
    found = told(placed(project), "count")
    assert found["after"] == {"step:more.records": {"step": "more", "port": "records", "attempt": "more/1"}}
    assert found["inputs"][0] | {"port": ""} == {
        "port": "",
        "type": "training_jsonl",
        "path": "step:more.records",
        "digest": None,
    }


@pytest.mark.usefixtures("steps_path")
def test_facts_are_told_or_where_to_find_them(project: Path) -> None:
    (counts,) = told(placed(project), "count")["produces"]
    assert counts["facts"] == {"documents": [{"measured": True}], "language": [{"value": "en"}]}


@pytest.mark.usefixtures("steps_path")
def test_what_was_not_asked_for_may_not_run(project: Path) -> None:
    steps = placed(project)
    wanted = Wanted(only={"count"}, force={"count"})
    assert [told(steps, name, wanted)["may_run"] for name in steps] == [False, True]
    assert [told(steps, name, wanted)["is_forced"] for name in steps] == [False, True]


@pytest.mark.usefixtures("steps_path")
def test_the_size_is_told_in_nodes_gpus_and_hours(project: Path) -> None:
    steps = placed(project, time="02:00:00")
    assert size(list(steps.values())) == "  2 jobs of 1 node × 02:00:00"
    assert "the partition's time" in size(list(placed(project).values()))
