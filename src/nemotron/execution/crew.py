"""Steps side by side: a thread drives each, and the main thread hears their events and the requests to stop.

Starts threads; what they do starts processes. Events are told in the main thread alone, so whoever prints
them needs no locks.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from nemotron.execution.interruption import Interrupted, StopRequests, stop_requests
from nemotron.execution.outputs import Made
from nemotron.execution.store import Attempt

_POLL_SECONDS = 0.1
_WAITING_EVENTS = 10_000

T = TypeVar("T")


class Events(Protocol):
    """What the run of one step tells while it goes on; the command line prints it."""

    def skipped(self, made: list[Made]) -> None: ...
    def adopted(self, attempt: Attempt) -> None: ...
    def started(self, attempt: Attempt, argv: list[str], changed: list[str]) -> None: ...
    def moved(self, aside: list[Path]) -> None: ...
    def log(self, line: str) -> None: ...
    def progress(self, line: dict[str, Any]) -> None: ...
    def stopping(self) -> None: ...
    def ended(self) -> None: ...


class Stopped(BaseException):
    """Ends the thread of a step whose run is over: nobody waits for it any more."""


class Worker(Generic[T]):
    """One thread at one step: its result or its failure, and whether it has a job that must be ended."""

    def __init__(self, crew: Crew[T], name: str, events: Events, work: Callable[[Worker[T]], T]) -> None:
        self.name = name
        self.requests = crew.requests
        self.result: T | None = None
        self.failure: BaseException | None = None
        self.has_job = False
        self.events: Events = _Posted(events, crew.post)
        self._crew = crew
        self._work = work
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)

    def _run(self) -> None:
        try:
            self.result = self._work(self)
        except BaseException as failure:
            self.failure = failure

    def begin_job(self) -> None:
        """From now on the crew waits for this worker even when it is asked to stop.

        Raises Stopped instead when it was asked before: then nothing may be started any more.
        """
        with self._crew.gate:
            if self.requests.came:
                raise Stopped
            self.has_job = True

    def end_job(self) -> None:
        """The job has ended by itself: what is left to do may be cut off, and is done by the next run."""
        self.has_job = False


class Crew(Generic[T]):
    """The workers of one run. Use as a context: an exception in the main thread ends every job first."""

    def __init__(self, requests: StopRequests) -> None:
        self.requests = requests
        self.gate = threading.Lock()
        self.workers: list[Worker[T]] = []
        self._events: queue.Queue[Callable[[], None]] = queue.Queue(_WAITING_EVENTS)

    def __enter__(self) -> Crew[T]:
        return self

    def __exit__(self, *failure: object) -> None:
        self.requests.aborted = self.requests.aborted or failure[0] is not None
        for worker in list(self.workers):
            while self._is_needed(worker):
                worker.thread.join(_POLL_SECONDS)

    def start(self, name: str, events: Events, work: Callable[[Worker[T]], T]) -> None:
        """Begin to work at a step in a thread of its own."""
        worker = Worker(self, name, events, work)
        self.workers.append(worker)
        worker.thread.start()

    def wait(self) -> list[Worker[T]]:
        """Tell events until at least one worker has ended; those that have, in the order of their start.

        After a request to stop, a worker that has no job to end counts as ended; its failure is Stopped.
        """
        while True:
            with contextlib.suppress(Interrupted), self.requests.raised():
                self._tell(_POLL_SECONDS)
            if ended := [worker for worker in self.workers if not self._is_needed(worker)]:
                self._tell_all()
                for worker in ended:
                    self.workers.remove(worker)
                    if worker.thread.is_alive():
                        worker.failure = Stopped()
                return ended

    def post(self, event: Callable[[], None]) -> None:
        """Hand an event to the main thread. It is lost if that is stopped while it cannot keep up."""
        while True:
            try:
                return self._events.put(event, timeout=_POLL_SECONDS)
            except queue.Full:
                if self.requests.came:
                    return None

    def _is_needed(self, worker: Worker[T]) -> bool:
        if not worker.thread.is_alive():
            return False
        with self.gate:
            return worker.has_job or not self.requests.came

    def _tell(self, timeout: float) -> None:
        with contextlib.suppress(queue.Empty):
            self._events.get(timeout=timeout)()

    def _tell_all(self) -> None:
        with contextlib.suppress(queue.Empty, Interrupted), self.requests.raised():
            while True:
                self._events.get_nowait()()


class _Posted:
    """Events of a worker's thread, told in the main one."""

    def __init__(self, events: Events, post: Callable[[Callable[[], None]], None]) -> None:
        self._events = events
        self._post = post

    def skipped(self, made: list[Made]) -> None:
        self._post(lambda: self._events.skipped(made))

    def adopted(self, attempt: Attempt) -> None:
        self._post(lambda: self._events.adopted(attempt))

    def started(self, attempt: Attempt, argv: list[str], changed: list[str]) -> None:
        self._post(lambda: self._events.started(attempt, argv, changed))

    def moved(self, aside: list[Path]) -> None:
        self._post(lambda: self._events.moved(aside))

    def log(self, line: str) -> None:
        self._post(lambda: self._events.log(line))

    def progress(self, line: dict[str, Any]) -> None:
        self._post(lambda: self._events.progress(line))

    def stopping(self) -> None:
        self._post(self._events.stopping)

    def ended(self) -> None:
        self._post(self._events.ended)


def alone(events: Events, work: Callable[[Worker[T]], T]) -> T:
    """Work at one step, with events and requests to stop as for many. KeyboardInterrupt if it had no job."""
    with stop_requests() as requests, Crew[T](requests) as crew:
        crew.start("the step", events, work)
        (worker,) = crew.wait()
    if isinstance(worker.failure, Stopped):
        raise KeyboardInterrupt
    if worker.failure is not None:
        raise worker.failure
    assert worker.result is not None
    return worker.result
