"""The processes of an attempt: all of them are found and ended, and no others."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from catalogs.helpers import end_quietly, is_alive, wait_for

from nemotron.execution import processes
from nemotron.execution.processes import MARK

AGENT = """
import signal, subprocess, sys

def tidy(*_):
    worker.terminate()
    worker.wait()
    open("tidy", "w").close()
    sys.exit(0)

manners = sys.argv[1:]
signal.signal(signal.SIGTERM, {"patient": signal.SIG_IGN, "careful": tidy}.get(manners[0], signal.SIG_DFL))
stubborn = ["sh", "-c", "trap '' TERM; sleep 1000 & wait; sleep 1000"]
worker = subprocess.Popen(
    stubborn if "stubborn" in manners else ["sleep", "1000"],
    env={} if "stray" in manners else None,
    start_new_session=True,
)
print(worker.pid, flush=True)
while "leaving" not in manners:
    signal.pause()
"""


class Attempt:
    """An agent and its worker, in sessions of their own, with a mark of their own."""

    def __init__(self, folder: Path, *manners: str) -> None:
        self.mark = uuid.uuid4().hex
        folder = folder / self.mark
        folder.mkdir()
        self.folder, self.log = folder, folder / "log"
        argv = [sys.executable, "-S", "-c", AGENT, *(manners or ("plain",))]
        self.agent = processes.start(argv, {**os.environ, MARK: self.mark}, folder, self.log)
        self.worker = int(wait_for(lambda: self.log.exists() and self.log.read_text().strip(), "worker"))

    def running(self) -> list[int]:
        self.agent.poll()
        return [pid for pid in (self.agent.pid, self.worker) if is_alive(pid)]


@pytest.fixture
def attempt(tmp_path: Path) -> Iterator[type[Attempt]]:
    made: list[Attempt] = []

    class Made(Attempt):
        def __init__(self, *manners: str) -> None:
            super().__init__(tmp_path, *manners)
            made.append(self)

    yield Made
    for one in made:
        end_quietly(*one.running())


def test_an_attempt_is_known_by_its_mark_in_every_session(attempt: type[Attempt]) -> None:
    one = attempt()
    assert processes.marked(one.mark) == {one.agent.pid, one.worker}
    assert processes.marked(uuid.uuid4().hex) == set()


def test_a_child_without_the_mark_is_known_by_its_parent(attempt: type[Attempt]) -> None:
    one = attempt("plain", "stray")
    assert processes.marked(one.mark) == {one.agent.pid, one.worker}
    processes.end(one.mark, one.agent)
    assert one.running() == []


def test_a_stubborn_child_without_the_mark_is_not_forgotten_when_its_parent_ends(
    attempt: type[Attempt],
) -> None:
    one = attempt("plain", "stubborn", "stray")
    processes.end(one.mark, one.agent, grace=0.3)
    assert one.running() == []


def test_ending_ends_what_runs_and_nothing_else(attempt: type[Attempt]) -> None:
    one, other = attempt(), attempt()
    processes.end(one.mark, one.agent)
    assert one.running() == []
    assert len(other.running()) == 2


def test_the_agent_is_asked_first_so_that_it_can_end_its_workers_itself(attempt: type[Attempt]) -> None:
    one = attempt("careful")
    processes.end(one.mark, one.agent)
    assert one.running() == []
    assert (one.folder / "tidy").exists()
    assert one.agent.returncode == 0


def test_workers_that_the_agent_left_are_asked_and_then_killed(attempt: type[Attempt]) -> None:
    one = attempt("plain", "stubborn", "leaving")
    one.agent.wait()
    processes.end(one.mark, one.agent, grace=0.3)
    assert one.running() == []


def test_what_ignores_term_is_killed_after_the_grace(attempt: type[Attempt]) -> None:
    one = attempt("patient", "stubborn")
    processes.end(one.mark, one.agent, grace=0.3)
    assert one.running() == []


def test_a_hurry_ends_the_grace_at_once(attempt: type[Attempt]) -> None:
    one, asked = attempt("patient", "stubborn"), []
    processes.end(one.mark, one.agent, grace=60.0, hurry=lambda: bool(asked.append(1) or len(asked) > 2))
    assert one.running() == []
    assert len(asked) == 3


def test_the_processes_of_a_dead_runner_are_ended_without_it(attempt: type[Attempt]) -> None:
    one = attempt()
    processes.end(one.mark)
    assert one.running() == []


def test_ending_what_is_over_returns(attempt: type[Attempt]) -> None:
    one = attempt()
    for _ in range(2):
        processes.end(one.mark, one.agent)
    assert one.running() == []


def test_a_start_time_tells_processes_apart_and_is_none_for_the_dead() -> None:
    process = subprocess.Popen(["sleep", "1000"])
    started = processes.start_time(process.pid)
    assert started is not None
    assert int(started) >= int(processes.start_time(os.getpid()) or 0)
    process.kill()
    process.wait()
    assert processes.start_time(process.pid) is None


def test_a_process_name_with_spaces_and_brackets_is_read_right(tmp_path: Path) -> None:
    program = tmp_path / ") R 1 (x"
    program.symlink_to("/bin/sleep")
    process = subprocess.Popen([str(program), "1000"])
    try:
        assert int(processes.start_time(process.pid) or 0) > 0
    finally:
        process.kill()
        process.wait()


def test_a_log_is_appended_to_and_stdin_is_empty(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("before\n", encoding="utf-8")
    argv = [sys.executable, "-S", "-c", "import sys; sys.stderr.write(repr(sys.stdin.read()))"]
    processes.start(argv, dict(os.environ), tmp_path, tmp_path / "log").wait()
    assert (tmp_path / "log").read_text(encoding="utf-8") == "before\n''"


def test_kills_for_memory_are_counted_by_the_kernel() -> None:
    kills = processes.out_of_memory_kills()
    assert kills is None or kills >= 0
