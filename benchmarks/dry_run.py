"""How long the dry run of the largest shipped config takes as a whole process, beside `python -c pass`.

    uv run python benchmarks/dry_run.py

Prints the median of ten runs of each, alternating, and their ratio. The largest config is the one with the
most lines, those of its `defaults:` included.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from nemotron.catalog.catalog import default_catalog
from nemotron.config.layers import read_layers
from nemotron.config.tree import leaves

RUNS = 10


def seconds(argv: list[str]) -> float:
    """One whole process; what a dry run finds missing here (a library, a path) is no failure."""
    began = time.perf_counter()
    ended = subprocess.run(argv, check=False, capture_output=True, text=True)
    took = time.perf_counter() - began
    if ended.returncode not in (0, 3):
        sys.exit(f"{' '.join(argv)} ended with {ended.returncode}:\n{ended.stderr}")
    return took


def largest() -> tuple[str, str, int]:
    """The step, the config and the number of values of the largest shipped config."""
    steps, _ = default_catalog().steps()
    sizes = [
        (sum(1 for _ in leaves(read_layers(step.config_folder / f"{name}.yaml").tree)), step.id, name)
        for step in steps
        for name in step.config_names()
    ]
    count, identity, name = max(sizes)
    return identity, name, count


def main() -> None:
    identity, config, count = largest()
    program = str(Path(sys.executable).with_name("nemotron"))
    dry_run = [program, "steps", "run", identity, "-c", config, "--dry-run"]
    commands = {"python -c pass": [sys.executable, "-c", "pass"], "dry run": dry_run}
    times: dict[str, list[float]] = {name: [] for name in commands}
    for argv in commands.values():
        seconds(argv)  # warm file caches for both
    for _ in range(RUNS):
        for name, argv in commands.items():
            times[name].append(seconds(argv))
    print(f"{identity} -c {config}, {count} values")
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, median in medians.items():
        low, high = min(times[name]), max(times[name])
        print(f"{name:<16}{median:.3f} s   (from {low:.3f} to {high:.3f}, {RUNS} runs)")
    print(f"{'ratio':<16}{medians['dry run'] / medians['python -c pass']:.1f}")


if __name__ == "__main__":
    main()
