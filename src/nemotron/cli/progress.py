"""A step's run as it goes on: the job's log, and one line of progress, redrawn on a terminal, else plain."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any, TextIO

from nemotron.cli.output import short_path, shorten, width
from nemotron.cli.progress_text import ProgressText, number
from nemotron.config.secrets import redact
from nemotron.execution.outputs import Made
from nemotron.execution.store import Attempt

_PLAIN_SECONDS = 5.0


class LiveEvents:
    """Prints what a run tells; where several do at once, each line after the `label` of its step."""

    def __init__(self, stream: TextIO | None = None, *, quiet: bool = False, label: str = "") -> None:
        self.stream = stream or sys.stderr
        self.quiet = quiet
        self.label = label
        self.live = self.stream.isatty() and not label
        self.status = ""
        self.words = ProgressText()
        self.printed = 0.0

    def skipped(self, made: list[Made]) -> None:
        """The step was finished by an earlier run."""
        producer = made[0].record.producer
        self._line(f"Skipped: run {producer.run} made this from the same config and inputs.")

    def adopted(self, attempt: Attempt) -> None:
        """The job of a run that was cut off had come to its end."""
        self._line(f"The job of run {attempt.run_id} had come to its end: what it made is recorded now.")

    def started(self, attempt: Attempt, argv: list[str], changed: list[str]) -> None:
        """The job's process was started."""
        if changed:
            names = ", ".join(changed[:6]) + (f" and {len(changed) - 6} more" if len(changed) > 6 else "")
            self._line(f"  changed  {names} (since the last finished run of this step)")
        self._line(f"  log      {short_path(attempt.log)}")

    def moved(self, aside: list[Path]) -> None:
        """What was in the way of the outputs is kept."""
        for path in aside:
            self._line(f"  kept     {short_path(path)} (what was there before)")

    def log(self, line: str) -> None:
        """A line of the job's log."""
        if not self.quiet and line.strip():
            self._line(redact(line))

    def progress(self, line: dict[str, Any]) -> None:
        """A step of the job is done. A line without a number in `step` tells nothing."""
        now = time.monotonic()
        text = self.words.of(line, now, bar=self.live)
        if text is None:
            return
        if self.live:
            self.status = text
            self._draw()
        elif now - self.printed >= _PLAIN_SECONDS or number(line, "step") == number(line, "total"):
            self.printed = now
            self._line(text)

    def stopping(self) -> None:
        """The run was interrupted, and the job is told to end."""
        self._line("Interrupted: ending the job. Ctrl-C again kills it at once.")

    def _line(self, text: str) -> None:
        if self.live and self.status:
            self.stream.write("\r\x1b[K")
        print(f"{self.label}{text}", file=self.stream, flush=True)
        self._draw()

    def _draw(self) -> None:
        if self.live and self.status:
            self.stream.write("\r\x1b[K" + shorten(self.status, width() - 1))
            self.stream.flush()

    def ended(self) -> None:
        """The job ended: leave the last status where it is, and go on below it."""
        if self.live and self.status:
            self.stream.write("\n")
            self.status = ""
