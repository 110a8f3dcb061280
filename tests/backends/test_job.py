"""A job's side of the contract: reads its config, tells its progress, says last what it made."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml

from nemotron.backends.job import Job

SOURCE = Path(__file__).resolve().parents[2] / "src"


def run_job(
    folder: Path, program: str, config: dict[str, Any] | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `program`, the body of a job's `main(job)`, as the runner would start it."""
    head = (
        "import os, signal, time\nfrom pathlib import Path\n\nfrom nemotron.backends import job as contract"
    )
    body = textwrap.indent(program, "    ")
    script = folder / "step.py"
    script.write_text(f"{head}\n\ndef main(job):\n{body}\n\ncontract.run(main)\n", encoding="utf-8")
    (folder / "config.yaml").write_text(yaml.safe_dump(config or {}), encoding="utf-8")
    return subprocess.run(
        [sys.executable, str(script), "--config", "config.yaml"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(SOURCE), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def test_a_job_says_what_it_made_with_absolute_paths(tmp_path: Path) -> None:
    program = 'Path("out").mkdir()\nreturn [contract.Output("port", Path("out"), {"tokens": 3})]'
    ended = run_job(tmp_path, program)
    assert (ended.returncode, ended.stderr) == (0, "")
    told = [{"port": "port", "path": str(tmp_path / "out"), "facts": {"tokens": 3}}]
    assert read(tmp_path / "outputs.json") == told


def test_a_job_reads_its_config_whole(tmp_path: Path) -> None:
    config = {"a": {"b": [1, 2.5, None, "no"]}, "path": "/x", "text": "ß: {}"}
    program = 'contract.write_json(job.folder / "seen.json", job.config)\nreturn []'
    assert run_job(tmp_path, program, config).returncode == 0
    assert read(tmp_path / "seen.json") == config


def test_an_explained_failure_is_written_down_and_is_the_last_line(tmp_path: Path) -> None:
    program = 'raise contract.JobError("NMT215", "line 3 is odd", file=Path("/x"), line=3, fix="even it")'
    ended = run_job(tmp_path, program)
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == ["NMT215: line 3 is odd"]
    assert read(tmp_path / "error.json") == {
        "code": "NMT215",
        "summary": "line 3 is odd",
        "file": "/x",
        "line": 3,
        "fix": "even it",
    }
    assert not (tmp_path / "outputs.json").exists()


def test_any_other_failure_leaves_its_traceback(tmp_path: Path) -> None:
    ended = run_job(tmp_path, 'raise ValueError("why not")')
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == "ValueError: why not"
    assert not (tmp_path / "error.json").exists()
    assert not (tmp_path / "outputs.json").exists()


@pytest.mark.parametrize(
    ("raised", "code", "says"),
    [
        ('OSError(28, "No space left on device")', "NMT640", "the disk is full (No space left on device)"),
        (
            'OSError(30, "Read-only file system", "/x")',
            "NMT641",
            "this may not be read or written: /x (Read-only file system)",
        ),
    ],
)
def test_what_the_surroundings_refuse_is_explained(tmp_path: Path, raised: str, code: str, says: str) -> None:
    ended = run_job(tmp_path, f"raise {raised}")
    assert (ended.returncode, ended.stderr) == (1, f"{code}: {says}\n")
    told = read(tmp_path / "error.json")
    assert (told["code"], told["summary"]) == (code, says)


def test_a_failure_of_the_system_that_nobody_can_mend_leaves_its_traceback(tmp_path: Path) -> None:
    for raised in ('PermissionError(1, "not permitted")', 'FileNotFoundError(2, "no such file", "/x")'):
        ended = run_job(tmp_path, f"raise {raised}")
        assert "Traceback" in ended.stderr
        assert not (tmp_path / "error.json").exists()


def test_a_secret_is_taken_from_the_environment_and_written_nowhere(tmp_path: Path) -> None:
    config = {"key": "${oc.env:MY_TOKEN}", "list": [{"header": "Bearer ${oc.env:MY_TOKEN}!"}]}
    program = 'assert job.config["key"] == "s3cret", job.config\nprint(job.config["list"])\nreturn []'
    ended = run_job(tmp_path, program, config, MY_TOKEN="s3cret")
    assert (ended.returncode, ended.stdout) == (0, "[{'header': 'Bearer s3cret!'}]\n")
    assert "s3cret" not in (tmp_path / "config.yaml").read_text(encoding="utf-8")


def test_a_secret_that_is_not_set_is_explained(tmp_path: Path) -> None:
    ended = run_job(tmp_path, "return []", {"key": "${oc.env:NO_SUCH_TOKEN}"})
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    told = read(tmp_path / "error.json")
    assert (told["code"], told["fix"]) == ("NMT610", "export NO_SUCH_TOKEN=…")


def test_only_the_first_rank_writes(tmp_path: Path) -> None:
    program = 'job.progress(1, 2)\nreturn [contract.Output("port", Path("out"))]'
    assert run_job(tmp_path, program, RANK="1").returncode == 0
    assert run_job(tmp_path, 'raise contract.JobError("NMT215", "no")', RANK="3").returncode == 1
    assert {path.name for path in tmp_path.iterdir()} == {"step.py", "config.yaml"}


def test_progress_is_one_line_a_step_without_what_is_unknown(tmp_path: Path) -> None:
    job = Job(tmp_path, {})
    job.progress(1, 4, loss=2.5, tokens_per_s=None)
    job.progress(2, None, unit="record")
    lines = [json.loads(line) for line in (tmp_path / "progress.jsonl").read_text().splitlines()]
    assert [{k: v for k, v in line.items() if k != "time"} for line in lines] == [
        {"step": 1, "total": 4, "loss": 2.5},
        {"step": 2, "total": None, "unit": "record"},
    ]
    assert lines[0]["time"] <= lines[1]["time"]


def test_term_unwinds_the_job_so_that_it_can_clean_up(tmp_path: Path) -> None:
    program = """
try:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)
finally:
    Path("tidy").touch()
"""
    assert run_job(tmp_path, program).returncode == 128 + signal.SIGTERM
    assert (tmp_path / "tidy").exists()
    assert not (tmp_path / "outputs.json").exists()


def test_a_second_term_does_not_cut_off_what_the_first_one_began(tmp_path: Path) -> None:
    program = """
try:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)
finally:
    os.kill(os.getpid(), signal.SIGTERM)
    Path("tidy").touch()
"""
    assert run_job(tmp_path, program).returncode == 128 + signal.SIGTERM
    assert (tmp_path / "tidy").exists()


def test_a_job_hears_term_also_where_its_launcher_does_not(tmp_path: Path) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        ended = run_job(tmp_path, "os.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(60)")
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert ended.returncode == 128 + signal.SIGTERM


def test_steps_that_are_done_again_replace_what_was_told_of_them(tmp_path: Path) -> None:
    first = Job(tmp_path, {})
    for step in range(1, 6):
        first.progress(step, 8, loss=float(step))
    with open(tmp_path / "progress.jsonl", "a", encoding="utf-8") as stream:
        stream.write('{"step": 6, "lo')
    again = Job(tmp_path, {})
    for step in (4, 5, 6):
        again.progress(step, 8, loss=10.0 * step)
    lines = [json.loads(line) for line in (tmp_path / "progress.jsonl").read_text().splitlines()]
    told = [(line["step"], line["loss"]) for line in lines]
    assert told == [(1, 1.0), (2, 2.0), (3, 3.0), (4, 40.0), (5, 50.0), (6, 60.0)]


@pytest.mark.parametrize("arguments", [[], ["--config", "absent.yaml"]])
def test_without_a_config_no_job_runs(tmp_path: Path, arguments: list[str]) -> None:
    program = "from nemotron.backends import job\njob.run(lambda job: print('ran'))"
    argv = [sys.executable, "-c", program, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    ended = subprocess.run(argv, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ended.returncode != 0
    assert ended.stdout == ""
