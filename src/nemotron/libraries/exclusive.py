"""One process at a time: a lock on a file that the kernel gives back when its holders are gone."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def exclusive(path: Path, waiting: Callable[[], None]) -> Iterator[int]:
    """Hold the lock on `path` and yield its file descriptor; calls `waiting` once if another has it.

    A process that inherits the descriptor holds the lock too. So a program that we started keeps others
    out for as long as it runs, even when we were killed. The file stays: removing it would let two
    processes lock two different files of one name.
    """
    with open(path, "a", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield stream.fileno()
