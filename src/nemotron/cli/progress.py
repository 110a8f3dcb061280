"""A run as it goes on: the job's log, and one line of progress, redrawn on a terminal, plain elsewhere."""

from __future__ import annotations

import math
import sys
import time
from typing import Any, TextIO

from nemotron.cli.output import short_path, shorten, width
from nemotron.config.secrets import redact
from nemotron.execution.outputs import Made
from nemotron.execution.store import Attempt

_PLAIN_SECONDS = 5.0
_BAR = 24


class LiveEvents:
    """Prints what a run tells."""

    def __init__(self, stream: TextIO | None = None, *, quiet: bool = False) -> None:
        self.stream = stream or sys.stderr
        self.quiet = quiet
        self.live = self.stream.isatty()
        self.status = ""
        self.first: tuple[int, float] | None = None
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

    def log(self, line: str) -> None:
        """A line of the job's log."""
        if not self.quiet and line.strip():
            self._line(redact(line))

    def progress(self, line: dict[str, Any]) -> None:
        """A step of the job is done. A line without a number in `step` tells nothing."""
        now = time.monotonic()
        step, total = _number(line, "step"), _number(line, "total")
        if step is None:
            return
        text = self._status(line, int(step), int(total or 0), now)
        if self.live:
            self.status = text
            self._draw()
        elif now - self.printed >= _PLAIN_SECONDS or step == total:
            self.printed = now
            print(text, file=self.stream, flush=True)

    def _status(self, line: dict[str, Any], step: int, total: int, now: float) -> str:
        unit = line.get("unit", "step")
        parts = [f"{unit} {step:,}/{total:,}" if total else f"{unit} {step:,}"]
        if (loss := _number(line, "loss")) is not None:
            parts.append(f"loss {loss:.4f}")
        if (speed := _number(line, "tokens_per_s")) is not None:
            parts.append(f"{speed:,.0f} tokens/s")
        if (left := self._seconds_left(step, total, now)) is not None:
            parts.append(f"{_clock(left)} left")
        text = " · ".join(parts)
        if not self.live or not total:
            return text
        filled = round(_BAR * min(1.0, max(0, step) / total))
        return f"{'━' * filled}{'─' * (_BAR - filled)} {text}"

    def _seconds_left(self, step: int, total: int, now: float) -> float | None:
        """By the pace since the first step that was told of: a resumed job does not begin at 0."""
        if self.first is None or step < self.first[0]:
            self.first = step, now
        done = step - self.first[0]
        return (now - self.first[1]) / done * (total - step) if done and step < total else None

    def stopping(self) -> None:
        """The run was interrupted, and the job is told to end."""
        self._line("Interrupted: ending the job. Ctrl-C again kills it at once.")

    def _line(self, text: str) -> None:
        if self.live and self.status:
            self.stream.write("\r\x1b[K")
        print(text, file=self.stream, flush=True)
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


def _number(line: dict[str, Any], name: str) -> float | None:
    """A number of a progress line; None where a job wrote something else (a step's own code, say)."""
    value = line.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) or name not in ("step", "total") else None


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
