"""Workers side by side: who hears their events, who ends them, and who is waited for."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest
from catalogs.helpers import Recorder

from nemotron.execution.crew import Crew, Stopped, Worker, alone
from nemotron.execution.interruption import stop_requests


class Told(Recorder):
    """Keeps which thread told each line."""

    def log(self, line: str) -> None:
        self.lines.append(f"{line} in {threading.current_thread() is threading.main_thread()}")


def work_of(wait: threading.Event, name: str) -> Callable[[Worker[str]], str]:
    def work(worker: Worker[str]) -> str:
        worker.events.log(name)
        assert wait.wait(30)
        return name

    return work


def test_workers_run_at_the_same_time_and_their_events_are_told_in_the_main_thread() -> None:
    events, go_on = Told(), threading.Event()

    def last(worker: Worker[str]) -> str:
        worker.events.log("second")
        go_on.set()
        return "second"

    with stop_requests() as requests, Crew[str](requests) as crew:
        crew.start("a", events, work_of(go_on, "first"))
        crew.start("b", events, last)
        ended = crew.wait()
        while crew.workers:
            ended += crew.wait()
    assert sorted(worker.result or "" for worker in ended) == ["first", "second"]
    assert sorted(events.lines) == ["first in True", "second in True"]


def test_every_event_of_a_worker_is_told_before_its_end() -> None:
    events = Recorder()

    def work(worker: Worker[int]) -> int:
        for number in range(25_000):
            worker.events.log(str(number))
        return 1

    assert alone(events, work) == 1
    assert events.lines == [str(number) for number in range(25_000)]


def test_a_failure_of_the_work_is_raised_where_it_is_waited_for() -> None:
    def work(worker: Worker[int]) -> int:
        raise LookupError("lost")

    with pytest.raises(LookupError, match="lost"):
        alone(Recorder(), work)


def test_who_has_a_job_is_waited_for_and_who_has_none_is_not() -> None:
    for_ever, seen = threading.Event(), threading.Event()

    def with_job(worker: Worker[str]) -> str:
        worker.begin_job()
        seen.set()
        while not worker.requests.came:
            threading.Event().wait(0.01)
        return "ended its job"

    with stop_requests() as requests, Crew[str](requests) as crew:
        crew.start("job", Recorder(), with_job)
        crew.start("none", Recorder(), work_of(for_ever, "hashes for ever"))
        assert seen.wait(30)
        os.kill(os.getpid(), signal.SIGINT)
        ended = crew.wait()
        while crew.workers:
            ended += crew.wait()
    by_name = {worker.name: worker for worker in ended}
    assert by_name["job"].result == "ended its job"
    assert isinstance(by_name["none"].failure, Stopped)
    for_ever.set()


def test_after_a_request_no_job_is_begun() -> None:
    def work(worker: Worker[int]) -> int:
        os.kill(os.getpid(), signal.SIGINT)
        while not worker.requests.came:
            threading.Event().wait(0.01)
        worker.begin_job()
        return 1

    with pytest.raises(KeyboardInterrupt):
        alone(Recorder(), work)


def test_a_bug_in_the_main_thread_ends_the_jobs_first() -> None:
    ended: list[bool] = []

    def work(worker: Worker[int]) -> int:
        worker.begin_job()
        worker.events.log("a line")
        while not worker.requests.aborted:
            threading.Event().wait(0.01)
        ended.append(worker.requests.hurry)
        return 1

    class Broken(Recorder):
        def log(self, line: str) -> Any:
            raise KeyError(line)

    with pytest.raises(KeyError):
        alone(Broken(), work)
    assert ended == [True]
