"""A run as it goes on: the job's log, and one line of progress, redrawn on a terminal, plain elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any, TextIO

from nemotron.cli.output import short_path, shorten, wants_color, width
from nemotron.config.secrets import redact
from nemotron.execution.outputs import Made
from nemotron.execution.store import Attempt

_PLAIN_SECONDS = 5.0
_BAR = 24


class LiveEvents:
    """Prints what a run tells."""

    def __init__(self, stream: TextIO = sys.stderr, *, quiet: bool = False) -> None:
        self.stream = stream
        self.quiet = quiet
        self.live = stream.isatty()
        self.color = wants_color(stream)
        self.status = ""
        self.began = time.monotonic()
        self.printed = 0.0

    def skipped(self, made: list[Made]) -> None:
        """The step was finished by an earlier run."""
        producer = made[0].record.producer
        self._line(f"Skipped: run {producer.run} made this from the same config and inputs.")

    def started(self, attempt: Attempt, argv: list[str], changed: list[str] | None) -> None:
        """The job's process was started."""
        if changed:
            names = ", ".join(changed[:6]) + (f" and {len(changed) - 6} more" if len(changed) > 6 else "")
            self._line(f"  changed  {names} (since the last finished run of this step)")
        self._line(f"  log      {short_path(attempt.log)}")
        self.began = time.monotonic()

    def log(self, line: str) -> None:
        """A line of the job's log."""
        if not self.quiet and line.strip():
            self._line(redact(line))

    def progress(self, line: dict[str, Any]) -> None:
        """A step of the job is done."""
        now = time.monotonic()
        step, total = line.get("step"), line.get("total")
        if self.live:
            self.status = self._status(line, now)
            self._draw()
        elif now - self.printed >= _PLAIN_SECONDS or (total is not None and step == total):
            self.printed = now
            print(self._status(line, now), file=self.stream, flush=True)

    def _status(self, line: dict[str, Any], now: float) -> str:
        step, total = int(line.get("step", 0)), line.get("total")
        unit = line.get("unit", "step")
        parts = [f"{unit} {step:,}/{int(total):,}" if total else f"{unit} {step:,}"]
        if (loss := line.get("loss")) is not None:
            parts.append(f"loss {loss:.4f}")
        if (speed := line.get("tokens_per_s")) is not None:
            parts.append(f"{speed:,.0f} tokens/s")
        if total and 0 < step < total:
            parts.append(f"{_clock((now - self.began) / step * (total - step))} left")
        text = " · ".join(parts)
        if not self.live or not total:
            return text
        filled = round(_BAR * min(1.0, step / total))
        return f"{'━' * filled}{'─' * (_BAR - filled)} {text}"

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


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
