"""Following a job while it runs: new lines of its log and of its progress. Reads the attempt's files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from nemotron.execution.store import Attempt

if TYPE_CHECKING:
    from nemotron.execution.crew import Events


class Tail:
    """What was appended to a file since the last look, in whole lines."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.offset = 0
        self.rest = b""

    def lines(self, *, last: bool = False) -> list[str]:
        try:
            with open(self.file, "rb") as stream:
                stream.seek(self.offset)
                new = stream.read()
        except OSError:
            return []
        self.offset += len(new)
        *whole, self.rest = (self.rest + new).split(b"\n")
        if last and self.rest:
            whole, self.rest = [*whole, self.rest], b""
        return [line.decode("utf-8", errors="replace") for line in whole]


class Follower:
    """Hands new log lines and progress lines to the events."""

    def __init__(self, attempt: Attempt, events: Events) -> None:
        self._log = Tail(attempt.log)
        self._progress = Tail(attempt.progress)
        self._events = events

    def read(self, *, last: bool = False) -> None:
        for line in self._log.lines(last=last):
            # A progress bar redraws its line with carriage returns; only what it ends as is worth keeping.
            self._events.log(line.rstrip("\r").rsplit("\r", 1)[-1])
        for line in self._progress.lines(last=last):
            try:
                told = json.loads(line)
            except ValueError:
                continue
            if isinstance(told, dict):
                self._events.progress(told)

    def finish(self) -> None:
        """Read what is left, an unfinished last line included."""
        self.read(last=True)
