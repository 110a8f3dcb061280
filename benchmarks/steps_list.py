"""How long `nemotron steps list` takes as a whole process, beside `python -c pass` on the same machine.

    uv run python benchmarks/steps_list.py

Prints the median of ten runs of each, alternating, and their ratio.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

RUNS = 10


def seconds(argv: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    program = str(Path(sys.executable).with_name("nemotron"))
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "nemotron steps list": [program, "steps", "list"],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for argv in commands.values():
        seconds(argv)  # compiled bytecode and warm file caches for both
    for _ in range(RUNS):
        for name, argv in commands.items():
            times[name].append(seconds(argv))
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, median in medians.items():
        low, high = min(times[name]), max(times[name])
        print(f"{name:<22}{median:.3f} s   (from {low:.3f} to {high:.3f}, {RUNS} runs)")
    print(f"{'ratio':<22}{medians['nemotron steps list'] / medians['python -c pass']:.1f}")


if __name__ == "__main__":
    main()
