"""A job by itself, without Slurm: what it reads and writes, and when it asks for another start."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from nemotron.execution.slurm.in_job_files import JobFiles, argv, filled

SOURCE = Path(__file__).resolve().parents[3] / "src"
# A library's environment has none of our dependencies but PyYAML.
_LIGHT = """\
import runpy, sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {'pydantic', 'typer', 'rich', 'omegaconf', 'networkx', 'tomli_w'}:
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
sys.argv = ['in_job', sys.argv[1]]
runpy.run_module('nemotron.execution.slurm.in_job', run_name='__main__')
"""
_GOOD = """\
folder = Path(config["output"]); folder.mkdir(exist_ok=True)
(folder / "made.txt").write_text(config["data"])
return [job.Output("made", folder, {"tokens": 5})]
"""


def write_attempt(root: Path, body: str = _GOOD, **told: Any) -> Path:
    """The folder of an attempt whose program has this body."""
    attempt = root / "run" / "train" / "1"
    attempt.mkdir(parents=True)
    program = root / "step.py"
    head = "import os, sys, time\nfrom pathlib import Path\nfrom nemotron.backends import job\n"
    text = textwrap.indent(f"config = run.config\n{body}", "    ")
    program.write_text(f"{head}def main(run):\n{text}\njob.run(main)\n", encoding="utf-8")
    config = {"data": "step:first.out", "output": str(root / "output"), "rate": 1e-5}
    (attempt / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    first = root / "run" / "first" / "1"
    first.mkdir(parents=True)
    (root / "made by first").touch()
    result = {"status": "done", "outputs": [{"port": "out", "path": str(root / "made by first")}]}
    (first / "result.json").write_text(json.dumps(result), encoding="utf-8")
    orders = {
        "step": "test/step",
        "version": 1,
        "key": "k" * 64,
        "mark": f"mark-{os.getpid()}-{root.name}",
        "launch": "python",
        "program": str(program),
        "nodes": 1,
        "processes": 1,
        "resumable": True,
        "may_be_taken_again": True,
        "may_run": True,
        "is_forced": False,
        "retries": 0,
        "time_seconds": None,
        "env_vars": {},
        "outputs": {"output": str(root / "output")},
        "inputs": [{"port": "data", "type": "training_jsonl", "path": "step:first.out", "digest": None}],
        "after": {"step:first.out": {"step": "first", "port": "out", "attempt": "first/1"}},
        "produces": [
            {
                "name": "made",
                "type": "eval_results",
                "optional": False,
                "facts": {"tokens": [{"measured": True}]},
            }
        ],
        **told,
    }
    (attempt / "job.json").write_text(json.dumps(orders), encoding="utf-8")
    return attempt


def start(attempt: Path, **environment: str) -> subprocess.Popen[str]:
    slurm = {"SLURM_JOB_ID": "7", "SLURM_PROCID": "0", "SLURM_JOB_NUM_NODES": "1"}
    cache = {"NEMOTRON_CACHE": str(attempt.parent / "cache")}
    return subprocess.Popen(
        [sys.executable, "-c", _LIGHT, str(attempt)],
        env={**os.environ, "PYTHONPATH": str(SOURCE), **slurm, **cache, **environment},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def run(attempt: Path, code: int = 0, **environment: str) -> dict[str, Any]:
    """Run the job to its end; its result, empty when it wrote none."""
    process = start(attempt, **environment)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == code, printed
    file = attempt / "result.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def told_to_end(attempt: Path, **environment: str) -> None:
    """Start the job, tell it after its first step that its end is near, and wait for that."""
    process = start(attempt, **environment)
    deadline = time.monotonic() + 30
    while not (attempt / "progress.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)


def test_a_job_fills_in_its_inputs_and_records_what_it_made_on_the_standard_library(tmp_path: Path) -> None:
    attempt = write_attempt(tmp_path)
    result = run(attempt)
    assert result["status"] == "done"
    config = yaml.safe_load((attempt / "config.yaml").read_text(encoding="utf-8"))
    assert (config["data"], config["rate"]) == (str(tmp_path / "made by first"), 1e-5)
    record = json.loads((tmp_path / "output" / "artifact.json").read_text(encoding="utf-8"))
    assert record["facts"] == {"tokens": 5}
    assert record["inputs"][0]["path"] == str(tmp_path / "made by first")
    assert len(record["inputs"][0]["digest"]) == 64
    assert record["digest"] == result["outputs"][0]["digest"]


def test_a_job_that_is_started_again_after_its_end_does_nothing(tmp_path: Path) -> None:
    attempt = write_attempt(tmp_path)
    first = run(attempt)
    assert run(attempt, SLURM_RESTART_COUNT="1") == first


def test_another_attempt_of_the_same_key_takes_what_is_finished_unless_it_is_forced(tmp_path: Path) -> None:
    attempt = write_attempt(tmp_path)
    run(attempt)
    (attempt / "result.json").unlink()
    assert run(attempt)["status"] == "skipped"
    (attempt / "result.json").unlink()
    told = json.loads((attempt / "job.json").read_text(encoding="utf-8"))
    (attempt / "job.json").write_text(json.dumps({**told, "is_forced": True}), encoding="utf-8")
    assert run(attempt)["status"] == "done"
    assert [path.name for path in tmp_path.glob("output.*-*")] == ["output.replaced-7.0"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"nodes": 2}, "NMT822"),
        ({"may_run": False}, "NMT810"),
        ({"after": {"step:x.y": {"step": "x", "port": "y", "attempt": "x/1"}}}, "NMT823"),
    ],
)
def test_a_job_that_cannot_begin_says_why(change: dict[str, Any], code: str, tmp_path: Path) -> None:
    result = run(write_attempt(tmp_path, **change), code=1)
    assert (result["status"], result["diagnostics"][0]["code"]) == ("failed", code)


@pytest.mark.parametrize(
    ("body", "code"),
    [("os._exit(0)", "NMT802"), ('return [job.Output("made", Path("nowhere"))]', "NMT803")],
)
def test_a_job_that_made_nothing_failed(body: str, code: str, tmp_path: Path) -> None:
    result = run(write_attempt(tmp_path, body), code=1)
    assert result["diagnostics"][0]["code"] == code


def test_a_failure_is_tried_again_as_often_as_the_profile_says(tmp_path: Path) -> None:
    attempt = write_attempt(tmp_path, "sys.exit(3)", retries=2)
    for _ in range(2):
        assert run(attempt) == {}
        (attempt / "requeue").unlink()
    assert run(attempt, code=3)["status"] == "failed"


_EPOCHS = 'run.progress(int(os.environ["AT"]), 9)\ntime.sleep(60)'


def test_a_job_near_its_end_asks_for_another_start_as_long_as_it_comes_further(tmp_path: Path) -> None:
    attempt = write_attempt(tmp_path, _EPOCHS, time_seconds=60)
    for step in ("1", "2"):
        (attempt / "progress.jsonl").unlink(missing_ok=True)
        told_to_end(attempt, AT=step)
        assert not (attempt / "result.json").exists()
        (attempt / "requeue").unlink()
    (attempt / "progress.jsonl").unlink()
    told_to_end(attempt, AT="2")
    result = json.loads((attempt / "result.json").read_text(encoding="utf-8"))
    assert result["diagnostics"][0]["code"] == "NMT821"


def test_a_preempted_job_far_from_its_time_limit_always_asks_for_another_start(tmp_path: Path) -> None:
    attempt = write_attempt(tmp_path, _EPOCHS)
    for _ in range(2):
        (attempt / "progress.jsonl").unlink(missing_ok=True)
        told_to_end(attempt, AT="1")
        (attempt / "requeue").unlink()


def test_secrets_reach_the_step_and_are_gone_when_it_has_ended(tmp_path: Path) -> None:
    body = 'assert os.environ["A"] + os.environ["B"] == "onetwo one"\n' + _GOOD
    attempt = write_attempt(tmp_path, body, env_vars={"B": "two ${oc.env:A}"})
    (attempt / ".secrets").write_text(json.dumps({"A": "one"}), encoding="utf-8")
    assert run(attempt)["status"] == "done"
    assert not (attempt / ".secrets").exists()


def test_the_last_step_is_read_past_a_torn_line(tmp_path: Path) -> None:
    files = JobFiles(tmp_path)
    assert files.last_step() == 0
    (tmp_path / "progress.jsonl").write_text('{"step": 3}\n{"step": 4}\n{"st', encoding="utf-8")
    assert files.last_step() == 4


def test_torchrun_meets_on_the_first_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER_ADDR", "10.0.0.1")
    monkeypatch.setenv("MASTER_PORT", "23456")
    told = {"launch": "torchrun", "program": "step.py", "nodes": 2, "processes": 4}
    words = argv(told, "python", tmp_path / "config.yaml", 1)
    assert {"--nnodes=2", "--node-rank=1", "--master-addr=10.0.0.1", "--nproc-per-node=4"} <= set(words)
    assert "--standalone" in argv({**told, "nodes": 1}, "python", tmp_path / "config.yaml", 0)


def test_names_that_begin_alike_are_told_apart() -> None:
    made = {"step:a.out_b": "/two", "step:a.out": "/one"}  # the longest first, as the submission writes them
    assert filled({"x": ["step:a.out", "step:a.out_b/file", 3]}, made) == {"x": ["/one", "/two/file", 3]}
