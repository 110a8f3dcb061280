"""Ending a run: the runner is asked first, whoever does not heed is killed, other hosts are left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from catalogs.helpers import end_quietly
from small import failure

from nemotron.execution.cancel import cancel
from nemotron.execution.living import is_running
from nemotron.execution.lock import this_process
from nemotron.execution.processes import MARK, start_time
from nemotron.execution.store import Attempt, Run, Store, read_json, write_json

Start = Callable[..., "subprocess.Popen[bytes]"]
DEAF = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(99)"
)


@pytest.fixture
def store(project: Path) -> Store:
    return Store.of_project()


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a process, with a mark if one is given; it is there when this returns."""
    started: list[subprocess.Popen[bytes]] = []

    def run(program: str = "print(1, flush=True); input()", mark: str = "") -> subprocess.Popen[bytes]:
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        environment = {**os.environ, MARK: mark} if mark else None
        process = subprocess.Popen([sys.executable, "-c", program], env=environment, **pipes)
        assert process.stdout is not None
        process.stdout.readline()
        started.append(process)
        return process

    yield run
    for process in started:
        end_quietly(process.pid)
        process.communicate()


def runner_of(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    return {**this_process(), "pid": process.pid, "started": start_time(process.pid)}


def unfinished(store: Store, runner: dict[str, Any], mark: str = "") -> tuple[Run, Attempt]:
    run = store.new_run("x", "version: 1\nsteps:\n  one: {step: test/one}\n")
    attempt = run.new_attempt("one")
    told = {"step": "test/one", "key": "0" * 64, "attempt": mark or uuid.uuid4().hex, "runner": runner}
    write_json(attempt.command, told)
    return run, attempt


def test_the_runner_is_asked_to_end(store: Store, start: Start) -> None:
    runner = start()
    run, _ = unfinished(store, runner_of(runner))
    assert cancel(run, store).runner == runner.pid
    assert runner.wait(0) == -signal.SIGTERM
    assert cancel(run, store).runner is None


@pytest.mark.parametrize("stopped", [False, True])
def test_a_runner_that_does_not_heed_is_killed(store: Store, start: Start, stopped: bool) -> None:
    runner = start(DEAF)
    if stopped:
        runner.send_signal(signal.SIGSTOP)
    run, _ = unfinished(store, runner_of(runner))
    cancel(run, store, patience=0.3)
    assert runner.wait(0) == -signal.SIGKILL


def test_the_job_of_a_dead_runner_is_ended(store: Store, start: Start) -> None:
    mark = uuid.uuid4().hex
    job = start(mark=mark)
    run, _ = unfinished(store, {**this_process(), "started": "1"}, mark)
    ended = cancel(run, store)
    assert (ended.runner, ended.processes) == (None, [job.pid])
    assert job.wait(0) == -signal.SIGTERM


def test_what_has_a_result_is_left_alone(store: Store, start: Start) -> None:
    mark = uuid.uuid4().hex
    job, runner = start(mark=mark), start()
    run, attempt = unfinished(store, runner_of(runner), mark)
    write_json(attempt.result, {"status": "done"})
    assert cancel(run, store).processes == []
    assert (job.poll(), runner.poll()) == (None, None)


def test_a_process_that_only_has_the_runner_s_pid_is_left_alone(store: Store, start: Start) -> None:
    stranger = start()
    run, _ = unfinished(store, {**runner_of(stranger), "started": "1"})
    assert cancel(run, store).runner is None
    assert stranger.poll() is None


def test_a_run_of_another_host_is_ended_there(store: Store, start: Start) -> None:
    stranger = start()
    run, _ = unfinished(store, {**runner_of(stranger), "host": "elsewhere"})
    found = failure(lambda: cancel(run, store))
    assert (found.code, "on elsewhere: " in found.fix) == ("NMT813", True)
    assert stranger.poll() is None


def test_what_a_host_that_is_gone_left_open_was_interrupted(store: Store, start: Start) -> None:
    stranger = start()
    holder = {**runner_of(stranger), "host": "elsewhere"}
    run, attempt = unfinished(store, holder)
    store.locks.mkdir()
    for file in (store.run_lock_file(run), store.lock_file("test/one", "0" * 64)):
        write_json(file, holder)
    others = store.lock_file("test/one", "1" * 64)
    write_json(others, holder)
    assert is_running(run, store)
    cancel(run, store, host_is_gone=True)
    assert not is_running(run, store)
    assert read_json(attempt.result)["status"] == "interrupted"
    assert list(store.locks.iterdir()) == [others]
    assert stranger.poll() is None
