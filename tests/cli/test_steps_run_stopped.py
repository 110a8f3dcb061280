"""Runs that are stopped, by Ctrl-C, a signal or a kill: nothing is left running, the next run goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from catalogs.helpers import (
    Nemotron,
    attempts,
    end_quietly,
    is_alive,
    start_nemotron,
    wait_for,
    wait_for_helpers,
)

TRAIN = ("steps", "run", "test/trainer", "data=chat.jsonl", "pause=pause", "output=out")
STUBBORN = "helpers=[polite,stubborn,stray]"

Start = Callable[..., "tuple[subprocess.Popen[str], Path, list[int]]"]


@pytest.fixture
def start(chat: Path, project: Path) -> Iterator[Start]:
    """Start a training that waits after its first epoch: the runner, the attempt, and every process of it."""
    started: list[subprocess.Popen[str]] = []
    seen: list[int] = []

    def run(*arguments: str, **options: object) -> tuple[subprocess.Popen[str], Path, list[int]]:
        (project / "pause").touch()
        runner = start_nemotron(*TRAIN, *arguments, **options)
        started.append(runner)
        attempt, processes = wait_for_helpers(project)
        seen.extend(processes)
        return runner, attempt, processes

    yield run
    for runner in started:
        if runner.poll() is None:
            runner.kill()
        runner.communicate()
    end_quietly(*seen)


def result_of(attempt: Path) -> dict[str, object]:
    told: dict[str, object] = json.loads((attempt / "result.json").read_text(encoding="utf-8"))
    return told


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_request_to_stop_ends_the_job_and_the_next_run_goes_on(
    start: Start, nemotron: Nemotron, project: Path, number: signal.Signals
) -> None:
    runner, attempt, processes = start("helpers=[polite]")
    runner.send_signal(number)
    stdout, stderr = runner.communicate(timeout=60)
    assert runner.returncode == 130
    assert [pid for pid in processes if is_alive(pid)] == []
    assert "Ctrl-C again kills it at once" in stderr
    assert stdout.startswith("Interrupted: every process of the job was ended.")
    assert f"The log: {attempt.relative_to(project)}/log" in stderr
    assert result_of(attempt)["status"] == "interrupted"
    (project / "pause").write_text("go on")
    ended = nemotron(*TRAIN, "helpers=[polite]")
    assert ended.returncode == 0
    assert "starting after epoch 1" in ended.stderr


def test_a_second_ctrl_c_ends_the_grace_of_those_that_ignore_the_first(start: Start) -> None:
    runner, attempt, processes = start(STUBBORN, "--json")
    runner.send_signal(signal.SIGINT)
    wait_for(lambda: sum(map(is_alive, processes)) == 2, "end of those that heed the first")
    runner.send_signal(signal.SIGINT)
    stdout, _ = runner.communicate(timeout=60)
    told = json.loads(stdout)
    assert (runner.returncode, told["exit_code"], told["status"]) == (130, 130, "interrupted")
    assert [pid for pid in processes if is_alive(pid)] == []
    assert result_of(attempt)["status"] == "interrupted"


def test_a_run_under_nohup_outlives_its_terminal(start: Start, project: Path) -> None:
    runner, _, _ = start(preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    runner.send_signal(signal.SIGHUP)
    (project / "pause").write_text("go on")
    runner.communicate(timeout=60)
    assert runner.returncode == 0
    assert (project / "out" / "model.json").is_file()


def test_after_a_kill_the_same_command_ends_the_orphans_and_finishes(
    start: Start, nemotron: Nemotron, project: Path
) -> None:
    runner, dead, orphans = start("helpers=[polite,stubborn]")
    runner.kill()
    runner.communicate()
    assert all(is_alive(pid) for pid in orphans)
    assert not (dead / "result.json").exists()
    (project / "pause").write_text("go on")
    os.kill(orphans[0], signal.SIGSTOP)  # a process that hangs ends by KILL alone
    ended = nemotron(*TRAIN, "helpers=[polite,stubborn]", "--json")
    told = json.loads(ended.stdout)
    assert (ended.returncode, told["status"]) == (0, "done")
    assert [pid for pid in orphans if is_alive(pid)] == []
    assert told["artifacts"][0]["facts"] == {"iteration": 3}
    assert len(attempts(project)) == 2
    assert json.loads(nemotron(*TRAIN, "helpers=[polite,stubborn]", "--json").stdout)["status"] == "skipped"


MOMENTS = [
    ".nemotron/locks/test-*",
    ".nemotron/runs/*/*/*/config.yaml",
    ".nemotron/runs/*/*/*/command.json",
    ".nemotron/runs/*/*/*/log",
    ".nemotron/runs/*/*/*/progress.jsonl",
    "out/counts.json",
    ".nemotron/runs/*/*/*/outputs.json",
    "out/artifact.json",
]


def test_killed_again_and_again_a_run_is_finished_once(chat: Path, project: Path, nemotron: Nemotron) -> None:
    """Each kill comes at another moment: when a file appears that was not there before."""
    counting = ("steps", "run", "test/word_count", "data=chat.jsonl", "output=out")
    for pattern in MOMENTS:
        before = set(project.glob(pattern))
        runner = start_nemotron(*counting)
        wait_for(lambda: set(project.glob(pattern)) - before or runner.poll() is not None, pattern)  # noqa: B023
        runner.kill()
        runner.communicate()
    told = json.loads(nemotron(*counting, "--json").stdout)
    assert told["exit_code"] == 0
    assert told["status"] in ("done", "skipped")
    assert json.loads((project / "out" / "counts.json").read_text(encoding="utf-8"))["user"] == 9
    assert json.loads(nemotron(*counting, "--json").stdout)["status"] == "skipped"
    results = [attempt / "result.json" for attempt in attempts(project)]
    assert [file.exists() for file in results].count(True) == 1
