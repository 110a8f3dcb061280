"""A disk that is full or may not be written: told of, nothing lost, and the same command goes on later.

Each test has a file system of a few pages to itself, in a mount namespace of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from catalogs.helpers import tree_of

Script = Callable[[str], "subprocess.CompletedProcess[str]"]
NEMOTRON = f"{sys.executable} -m nemotron steps run"


@cache
def why_no_mounts() -> str:
    """Why the kernel refuses a mount namespace to this user; empty when it does not."""
    if shutil.which("unshare") is None:
        return "there is no unshare program"
    command = ["unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "x", "/mnt"]
    return subprocess.run(command, capture_output=True, text=True).stderr.strip()


@pytest.fixture
def script(project: Path) -> Script:
    """Run lines of bash where mounting is allowed: `small FOLDER OPTIONS` mounts a file system in memory."""
    if reason := why_no_mounts():
        pytest.skip(f"the kernel refuses mount namespaces: {reason}")

    def run(lines: str) -> subprocess.CompletedProcess[str]:
        head = 'small() { mkdir -p "$1" && mount -t tmpfs -o "$2" small "$1"; }\n'
        return subprocess.run(
            ["unshare", "--map-root-user", "--mount", "bash", "-c", head + lines],
            env={**os.environ, "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


def test_an_output_that_fills_the_disk_fails_with_the_way_out(
    script: Script, fake_steps: Path, project: Path
) -> None:
    ended = script(f"small out size=128k; {NEMOTRON} test/breaks how=fills_the_disk output=out/weights")
    assert ended.returncode == 1
    assert "error[NMT640]" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "known error 'disk_full'" in ended.stderr
    assert "Free space where the output lies" in ended.stderr


def test_a_store_that_is_full_is_told_of_at_every_moment(script: Script, chat: Path, project: Path) -> None:
    """Each size fits some pages more: the first file that does not fit is another one."""
    before = tree_of(project)
    run = f"{NEMOTRON} test/word_count data=chat.jsonl --json"
    sizes = ("8k", "12k", "16k", "28k", "36k", "40k")
    ended = script(
        f"for size in {' '.join(sizes)}; do "
        f"small .nemotron size=$size; {run}; umount .nemotron; echo ---; done"
    )
    told = [json.loads(document) for document in ended.stdout.split("---")[:-1]]
    assert [one["exit_code"] for one in told] == [3] * len(sizes), ended.stderr
    assert {problem["code"] for one in told for problem in one["diagnostics"]} == {"NMT640"}
    assert tree_of(project) == before


def test_once_there_is_space_the_same_command_goes_on(script: Script, chat: Path, project: Path) -> None:
    run = f"{NEMOTRON} test/word_count data=chat.jsonl output=out"
    ended = script(
        "small .nemotron size=1m; head -c 996k /dev/zero > .nemotron/ballast; "
        f"{run} 2>&1; echo EXIT $?; rm .nemotron/ballast; {run} 2>&1; echo EXIT $?; {run} 2>&1; echo EXIT $?"
    )
    first, second, third = ended.stdout.split("EXIT ")[:3]
    assert "NMT640" in first
    assert "Done" in second
    assert "Skipped" in third
    assert json.loads((project / "out" / "counts.json").read_text(encoding="utf-8")) == {
        "user": 9,
        "assistant": 6,
    }


def test_a_store_that_may_not_be_written_is_told_of(script: Script, chat: Path, project: Path) -> None:
    ended = script(f"small .nemotron ro; {NEMOTRON} test/word_count data=chat.jsonl")
    assert ended.returncode == 3
    assert "blocked[NMT641]" in ended.stderr
    assert f"{project}/.nemotron" in ended.stderr


def test_an_output_that_may_not_be_written_is_told_of(script: Script, chat: Path, project: Path) -> None:
    ended = script(f"small out ro; {NEMOTRON} test/word_count data=chat.jsonl output=out/here")
    assert ended.returncode == 3
    assert f"{project}/out/here" in ended.stderr
