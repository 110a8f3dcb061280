"""stdout and stderr that never end a run: closed ones, readers that went away, narrow encodings.

Replaces `sys.stdout` and `sys.stderr` of this process.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
# A pipe without a reader (`| head`), and a terminal that was closed.
_NOBODY_READS = (errno.EPIPE, errno.EIO)


class Stream(io.TextIOWrapper):
    """A standard stream that goes to /dev/null once nobody reads it.

    A job that runs for days is not ended because its terminal was closed. `lossy` streams drop text that
    cannot be written for any reason, a full disk for one.
    """

    lossy = False

    def write(self, text: str) -> int:
        return self._forgiving(lambda: super(Stream, self).write(text), len(text))

    def flush(self) -> None:
        self._forgiving(super().flush, None)

    def _forgiving(self, action: Callable[[], T], otherwise: T) -> T:
        try:
            return action()
        except OSError as problem:
            _to_devnull(self.fileno())  # what is still buffered must not fail again at exit
            if problem.errno not in _NOBODY_READS and not self.lossy:
                raise
            return otherwise


def make_robust() -> None:
    """Put streams of this kind in place of Python's. Called once, before anything is printed."""
    for descriptor in (0, 1, 2):
        _open_if_closed(descriptor)
    sys.stdout, sys.stderr = _stream(1), _stream(2)
    sys.stderr.lossy = True


def _stream(descriptor: int) -> Stream:
    raw = io.BufferedWriter(io.FileIO(descriptor, "wb", closefd=False))
    own = sys.stdout if descriptor == 1 else sys.stderr
    encoding = own.encoding if own is not None else "utf-8"
    at_once = descriptor == 2 or os.isatty(descriptor)
    return Stream(raw, encoding=encoding, errors="backslashreplace", line_buffering=at_once)


def _open_if_closed(descriptor: int) -> None:
    """A closed stream is /dev/null; else the next file that is opened would get its number."""
    try:
        os.fstat(descriptor)
    except OSError:
        os.open(os.devnull, os.O_RDWR)


def _to_devnull(descriptor: int) -> None:
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, descriptor)
    os.close(devnull)
