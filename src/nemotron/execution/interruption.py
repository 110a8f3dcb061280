"""Requests to stop while jobs run: Ctrl-C, TERM, HUP. Sets this process's signal handlers for a while.

Signals reach the main thread alone. There a request ends the block that asks for it; the threads that drive
jobs look at the count.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_REQUESTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """The person (Ctrl-C), the system (TERM) or the terminal (HUP) asked the runner to stop."""


class StopRequests:
    """The requests that came in: counted, and raised as Interrupted only where that was asked for.

    `aborted` says that this process itself cannot go on: jobs are to be ended at once, and nothing recorded.
    """

    def __init__(self) -> None:
        self.count = 0
        self.aborted = False
        self._raises = False

    @property
    def came(self) -> bool:
        """Whether jobs are to be ended, for whatever reason."""
        return self.count > 0 or self.aborted

    @property
    def hurry(self) -> bool:
        """Whether they are to be ended without a time of grace."""
        return self.count > 1 or self.aborted

    @contextmanager
    def raised(self) -> Iterator[None]:
        """A request that comes while the block runs ends it with Interrupted. In the main thread only."""
        self._raises = True
        try:
            yield
        finally:
            self._raises = False

    def note(self, number: int, frame: FrameType | None) -> None:
        """The signal handler."""
        self.count += 1
        if self._raises:
            self._raises = False
            raise Interrupted(number)


@contextmanager
def stop_requests() -> Iterator[StopRequests]:
    """Count requests to stop for the length of the block. A signal that is ignored (nohup) stays ignored."""
    requests = StopRequests()
    heeded = [number for number in _REQUESTS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, requests.note) for number in heeded}
    try:
        yield requests
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
