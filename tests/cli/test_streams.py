"""stdout and stderr as people and programs leave them: closed, full, without a reader, narrow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from catalogs.helpers import Nemotron, attempts, start_nemotron, wait_for

NEMOTRON = f"{sys.executable} -m nemotron"


def shell(line: str) -> subprocess.CompletedProcess[str]:
    """A line of bash; its exit code is that of the first program of a pipe."""
    line += "; exit ${PIPESTATUS[0]}"
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_had_enough_is_no_failure(project: Path, unbuffered: str) -> None:
    ended = shell(f"PYTHONUNBUFFERED={unbuffered} {NEMOTRON} steps show sft/automodel | head -1")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("sft/automodel: ")


def test_the_exit_code_is_that_of_the_command_also_without_a_reader(chat: Path) -> None:
    wrong = shell(f"{NEMOTRON} steps run test/word_count data=absent.jsonl --json 2>&1 | true")
    failed = shell(f"{NEMOTRON} steps run test/breaks how=exits 2>&1 | true")
    assert (wrong.returncode, failed.returncode) == (2, 1)


@pytest.mark.parametrize("closing", [">&-", "2>&-", ">&- 2>&- <&-"])
def test_closed_streams_are_no_failure(project: Path, closing: str) -> None:
    ended = shell(f"{NEMOTRON} steps list {closing}")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ("sft/automodel" in ended.stdout) == (closing == "2>&-")


def test_what_goes_to_a_closed_stderr_does_not_come_out_on_stdout(project: Path) -> None:
    ended = shell(f"{NEMOTRON} steps run no/such/step --json 2>&-")
    assert (ended.returncode, json.loads(ended.stdout)["exit_code"]) == (2, 2)


def test_a_job_is_run_with_closed_streams(chat: Path, project: Path) -> None:
    ended = shell(f"{NEMOTRON} steps run test/word_count data=chat.jsonl output=out >&- 2>&- <&-")
    assert ended.returncode == 0
    assert (project / "out" / "counts.json").is_file()


def test_a_full_disk_behind_stdout_is_told_of_once(project: Path) -> None:
    ended = shell(f"{NEMOTRON} steps list > /dev/full")
    assert ended.returncode == 3
    assert ended.stderr.count("NMT640") == 1
    assert "Exception" not in ended.stderr


def test_a_full_disk_behind_stderr_does_not_end_a_run(chat: Path, project: Path) -> None:
    ended = shell(f"{NEMOTRON} steps run test/word_count data=chat.jsonl output=out 2> /dev/full")
    assert ended.returncode == 0
    assert (project / "out" / "counts.json").is_file()


def test_a_run_goes_on_when_its_reader_leaves(chat: Path, project: Path) -> None:
    """As with `| head`, or a terminal that was closed under nohup."""
    (project / "pause").touch()
    running = start_nemotron(
        "steps", "run", "test/word_count", "data=chat.jsonl", "pause=pause", "output=out"
    )
    wait_for(lambda: [a for a in attempts(project) if (a / "progress.jsonl").exists()], "running job")
    for stream in (running.stdout, running.stderr):
        assert stream is not None
        stream.close()
    (project / "pause").write_text("go on")
    assert running.wait(60) == 0
    assert (project / "out" / "artifact.json").is_file()


def test_what_a_terminal_cannot_show_is_escaped(nemotron: Nemotron) -> None:
    narrow = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    ended = nemotron("steps", "list", "--tree", env=narrow)
    assert ended.returncode == 0
    assert "\\u2192" in ended.stdout
    told = json.loads(nemotron("steps", "show", "sft/automodel", "--json", env=narrow).stdout)
    assert "×" in json.dumps(told, ensure_ascii=False)


def test_arguments_that_are_no_text_are_reported(project: Path) -> None:
    argv = [sys.executable, "-m", "nemotron", "steps", "run", b"\xff", b"a=\xff", "--json"]
    ended = subprocess.run(argv, capture_output=True, env={**os.environ, "PYTHONUTF8": "1"})
    assert ended.returncode == 2
    assert json.loads(ended.stdout)["diagnostics"][0]["code"] == "NMT110"
