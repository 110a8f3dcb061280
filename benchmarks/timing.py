"""Timing whole processes against each other: alternating runs, medians. Starts processes."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

PROGRAM = str(Path(sys.executable).with_name("nemotron"))
BARE = [sys.executable, "-c", "pass"]


@dataclass(frozen=True)
class Times:
    """The seconds of several runs of one command."""

    values: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def __str__(self) -> str:
        return f"{self.median:.3f} s   (from {min(self.values):.3f} to {max(self.values):.3f})"


def alternate(commands: dict[str, list[str]], runs: int, allowed: Collection[int] = (0,)) -> dict[str, Times]:
    """Run each command `runs` times, in turn; an exit code that is not in `allowed` ends it."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    for argv in commands.values():
        _seconds(argv, allowed)  # compiled bytecode and warm file caches for all
    for _ in range(runs):
        for name, argv in commands.items():
            times[name].append(_seconds(argv, allowed))
    return {name: Times(values) for name, values in times.items()}


def _seconds(argv: list[str], allowed: Collection[int]) -> float:
    began = time.perf_counter()
    ended = subprocess.run(argv, check=False, capture_output=True, text=True)
    took = time.perf_counter() - began
    if ended.returncode not in allowed:
        sys.exit(f"{' '.join(argv)} ended with {ended.returncode}:\n{ended.stderr}")
    return took
