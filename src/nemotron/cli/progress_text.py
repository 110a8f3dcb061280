"""A job's progress in words: how far it is, its loss, its speed, the time that is left."""

from __future__ import annotations

import math
from typing import Any

_BAR = 24


class ProgressText:
    """The words for one job's progress lines; it remembers the first to know the pace."""

    def __init__(self) -> None:
        self._first: tuple[int, float] | None = None

    def of(self, line: dict[str, Any], now: float, *, bar: bool) -> str | None:
        """The words at `now`, in seconds of a steady clock; None for a line without a number in `step`."""
        step, total = number(line, "step"), int(number(line, "total") or 0)
        if step is None:
            return None
        text = " · ".join(self._parts(line, int(step), total, now))
        if not bar or not total:
            return text
        filled = round(_BAR * min(1.0, max(0.0, step) / total))
        return f"{'━' * filled}{'─' * (_BAR - filled)} {text}"

    def _parts(self, line: dict[str, Any], step: int, total: int, now: float) -> list[str]:
        unit = line.get("unit", "step")
        parts = [f"{unit} {step:,}/{total:,}" if total else f"{unit} {step:,}"]
        if (loss := number(line, "loss")) is not None:
            parts.append(f"loss {loss:.4f}")
        if (speed := number(line, "tokens_per_s")) is not None:
            parts.append(f"{speed:,.0f} tokens/s")
        if (left := self._seconds_left(step, total, now)) is not None:
            parts.append(f"{_clock(left)} left")
        return parts

    def _seconds_left(self, step: int, total: int, now: float) -> float | None:
        """By the pace since the first step that was told of: a resumed job does not begin at 0."""
        if self._first is None or step < self._first[0]:
            self._first = step, now
        done = step - self._first[0]
        return (now - self._first[1]) / done * (total - step) if done and step < total else None


def number(line: dict[str, Any], name: str) -> float | None:
    """A number of a progress line; None where a job wrote something else (a step's own code, say)."""
    value = line.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) or name not in ("step", "total") else None


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
