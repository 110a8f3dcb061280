"""`nemotron runs resume`, `cancel`: after a kill the truth is told, nothing is left, the work is finished."""

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
    job_of,
    start_nemotron,
    wait_for,
    wait_for_helpers,
    write_chat,
)
from catalogs.pipelines import Branches

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(project: Path) -> Iterator[Start]:
    """Start a command whose job waits for the file `pause` to say something."""
    started: list[subprocess.Popen[str]] = []
    (project / "pause").touch()

    def run(*arguments: str) -> subprocess.Popen[str]:
        started.append(start_nemotron(*arguments))
        return started[-1]

    yield run
    for runner in started:
        if runner.poll() is None:
            runner.kill()
        runner.communicate()
    end_quietly(*(pid for attempt in attempts(project) if (pid := job_of(attempt)) and is_alive(pid)))


def go_on(project: Path) -> None:
    (project / "pause").write_text("go on", encoding="utf-8")


def shown(nemotron: Nemotron, run: str = "last") -> dict[str, object]:
    told: dict[str, object] = json.loads(nemotron("runs", "show", run, "--json").stdout)
    return told


def steps_of(told: dict[str, object]) -> dict[str, str]:
    return {step["name"]: step["status"] for step in told["steps"]}  # type: ignore[attr-defined]


def wait_for_job(project: Path, step: str) -> tuple[Path, int]:
    """The attempt at a step whose job waits, and the job."""
    pattern = f".nemotron/runs/*/{step}/*/progress.jsonl"

    def told() -> list[Path]:
        return [file for file in project.glob(pattern) if file.read_bytes().endswith(b"\n")]

    attempt = Path(wait_for(told, f"job at {step}")[-1]).parent
    return attempt, wait_for(lambda: job_of(attempt), "pid of the job")


def test_after_a_kill_of_a_pipeline_s_runner(
    branches: Branches, nemotron: Nemotron, project: Path, start: Start
) -> None:
    """The truth is told, cancel leaves no process, resume finishes the run, and nothing runs twice."""
    branches.change("left", pause=str(project / "pause"))
    runner = start("pipeline", "run", "branches.yaml", "--jobs", "1")
    attempt, job = wait_for_job(project, "left")
    told = shown(nemotron)
    assert (told["status"], steps_of(told)["left"], steps_of(told)["right"]) == (
        "running",
        "running",
        "waiting",
    )
    assert told["steps"][1]["progress"]["loss"] == 0.25  # type: ignore[index]
    runner.kill()
    runner.communicate()
    assert is_alive(job)
    told = shown(nemotron)
    assert (told["status"], steps_of(told)["left"]) == ("running", "running")
    assert "its runner is gone" in told["steps"][1]["why"]  # type: ignore[index]
    ended = nemotron("runs", "cancel", "last")
    assert (ended.returncode, "Ended 1 process of its job." in ended.stdout) == (0, True)
    assert not is_alive(job)
    assert "is not running: nothing was ended" in nemotron("runs", "cancel", "last").stdout
    told = shown(nemotron)
    assert (told["status"], told["done"]) == ("interrupted", 1)
    assert list(steps_of(told).values()) == ["done", "interrupted", "not run", "not run"]
    assert nemotron("runs", "status", "last").returncode == 3
    go_on(project)
    branches.file.write_text("the file was edited\n", encoding="utf-8")
    resumed = json.loads(nemotron("runs", "resume", "last", "--json").stdout)
    assert (resumed["exit_code"], resumed["run"]) == (0, told["id"])
    assert list(steps_of(resumed).values()) == ["skipped", "done", "done", "done"]
    assert (shown(nemotron)["status"], len(attempts(project, "left"))) == ("done", 2)
    assert attempt.parent.parent.name == told["id"]
    again = json.loads(nemotron("runs", "resume", "last", "--json").stdout)
    assert set(steps_of(again).values()) == {"skipped"}


def test_a_living_runner_is_asked_and_writes_down_that_it_was_interrupted(
    branches: Branches, nemotron: Nemotron, project: Path, start: Start
) -> None:
    branches.change("left", pause=str(project / "pause"))
    runner = start("pipeline", "run", "branches.yaml", "--keep-going", "--jobs", "1")
    attempt, job = wait_for_job(project, "left")
    told = json.loads(nemotron("runs", "cancel", "last", "--json").stdout)
    assert (told["runner"], told["processes"]) == (runner.pid, [job])
    runner.communicate(timeout=60)
    assert (runner.returncode, is_alive(job)) == (130, False)
    assert json.loads((attempt / "result.json").read_text(encoding="utf-8"))["status"] == "interrupted"
    assert list(steps_of(shown(nemotron)).values()) == ["done", "interrupted", "not run", "not run"]


def test_helpers_in_sessions_of_their_own_and_a_runner_that_hangs_are_ended(
    fake_steps: Path, nemotron: Nemotron, project: Path, start: Start
) -> None:
    write_chat(project / "chat.jsonl", 3)
    train = ("steps", "run", "test/trainer", "data=chat.jsonl", "pause=pause", "helpers=[polite,stubborn]")
    runner = start(*train)
    attempt, processes = wait_for_helpers(project)
    runner.kill()
    runner.communicate()
    os.kill(processes[0], signal.SIGSTOP)
    assert nemotron("runs", "cancel", attempt.parent.parent.name).returncode == 0
    assert [pid for pid in processes if is_alive(pid)] == []


def test_a_run_of_one_step_goes_on_from_another_folder_as_it_was_asked_for(
    fake_steps: Path, nemotron: Nemotron, project: Path, start: Start
) -> None:
    """Relative paths, deleted keys and lists mean what they meant, and no new run is made."""
    write_chat(project / "chat.jsonl", 3)
    asked = ("test/trainer", "data=chat.jsonl", "pause=pause", "output=out", "helpers=[]", "epochs=2")
    runner = start("steps", "run", *asked)
    wait_for_job(project, "test-trainer")
    runner.kill()
    runner.communicate()
    assert nemotron("runs", "cancel", "last").returncode == 0
    go_on(project)
    (project / "deep").mkdir()
    resumed = start_nemotron("runs", "resume", "last", "--json", cwd=project / "deep")
    stdout, stderr = resumed.communicate(timeout=60)
    told = json.loads(stdout)
    assert (resumed.returncode, told["steps"][0]["status"]) == (0, "done"), stderr
    assert "starting after epoch 1" in stderr
    assert told["steps"][0]["artifacts"] == {"model": str(project / "out" / "model.json")}
    assert len(list((project / ".nemotron" / "runs").iterdir())) == 1
    same = json.loads(nemotron("steps", "run", *asked, "--json").stdout)
    assert same["status"] == "skipped"


@pytest.mark.parametrize(
    "asked",
    [
        ("data=chat.jsonl", "minimum=2", "note='a: b'", "~language"),
        ("data=chat.jsonl", "-c", "letters", "output=out put"),
        ("data=chat.jsonl", "-c", "./mine.yaml", "judge=http://localhost:1/v1"),
        ("data=c*.jsonl", "base=org/model"),
    ],
)
def test_what_is_stored_of_a_step_s_run_is_the_same_request(
    fake_steps: Path, nemotron: Nemotron, project: Path, asked: tuple[str, ...]
) -> None:
    """The key of the resumed request is the one of the first."""
    write_chat(project / "chat.jsonl", 3)
    (project / "mine.yaml").write_text(
        f"defaults: {fake_steps}/test/word_count/config/default.yaml\nminimum: 3\n", encoding="utf-8"
    )
    first = json.loads(nemotron("steps", "run", "test/word_count", *asked, "--json").stdout)
    assert first["run"], first
    resumed = nemotron("runs", "resume", "last", "--json")
    told = json.loads(resumed.stdout)
    assert resumed.returncode == (0 if first["status"] == "done" else 1), resumed.stderr
    keys = {
        json.loads((attempt / "command.json").read_text(encoding="utf-8"))["key"]
        for attempt in attempts(project)
    }
    assert keys == {first["key"]}
    assert told["run"] == first["run"]


def test_a_run_whose_folder_is_gone_cannot_go_on(
    branches: Branches, nemotron: Nemotron, project: Path
) -> None:
    (project / "deep").mkdir()
    branches.file.rename(project / "deep" / "branches.yaml")
    (project / "chat.jsonl").rename(project / "deep" / "chat.jsonl")
    ended = start_nemotron("pipeline", "run", "branches.yaml", cwd=project / "deep")
    ended.communicate(timeout=60)
    (project / "deep").rename(project / "moved")
    refused = nemotron("runs", "resume", "last")
    assert refused.returncode == 2
    assert f"error[NMT213]: {project}/deep, where the run was started, is not there" in refused.stderr
