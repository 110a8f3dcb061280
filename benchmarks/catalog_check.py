"""How long `nemotron catalog check` takes over 100, 300 and 1,000 generated steps, as a whole process.

    uv run python benchmarks/catalog_check.py

The steps are copies of the shipped ones under ids of their own, with their manifests, configs and READMEs,
so that they are as large and as varied as real ones. Prints the median of five runs of each size, the time
per step (less the process's start) beside it, and `python -c pass` in the same run.
"""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 5
SIZES = (100, 300, 1000)
STEPS = Path(__file__).resolve().parents[1] / "steps"
STEPS_IN_A_CATEGORY = 50


def seconds(argv: list[str]) -> float:
    began = time.perf_counter()
    ended = subprocess.run(argv, check=False, capture_output=True, text=True)
    took = time.perf_counter() - began
    if ended.returncode:
        sys.exit(f"{' '.join(argv)} ended with {ended.returncode}:\n{ended.stderr}")
    return took


def generate(root: Path, count: int) -> None:
    """A catalog of `count` steps, each a shipped one under another id, and of the patterns that they cite."""
    (root / "patterns").mkdir(parents=True)
    shipped = sorted(file.parent for file in STEPS.glob("**/step.toml"))
    for number in range(count):
        source = shipped[number % len(shipped)]
        identity = f"category_{number // STEPS_IN_A_CATEGORY}/step_{number}"
        shutil.copytree(source, root / identity, ignore=shutil.ignore_patterns("__pycache__"))
        manifest = root / identity / "step.toml"
        own = f'id = "{source.relative_to(STEPS).as_posix()}"'
        text = manifest.read_text(encoding="utf-8").replace(own, f'id = "{identity}"', 1)
        manifest.write_text(text, encoding="utf-8")
        for pattern in re.findall(r'^pattern = "(.+)"', text, re.MULTILINE):
            (root / "patterns" / f"{pattern}.md").touch()


def main() -> None:
    program = str(Path(sys.executable).with_name("nemotron"))
    with tempfile.TemporaryDirectory() as folder:
        commands = {"python -c pass": [sys.executable, "-c", "pass"]}
        for size in (1, *SIZES):
            generate(Path(folder) / str(size), size)
            commands[f"{size:,} step{'s' * (size > 1)}"] = [
                program,
                "catalog",
                "check",
                str(Path(folder) / str(size)),
            ]
        times: dict[str, list[float]] = {name: [] for name in commands}
        for argv in commands.values():
            seconds(argv)  # compiled bytecode and warm file caches for all
        for _ in range(RUNS):
            for name, argv in commands.items():
                times[name].append(seconds(argv))
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, median in medians.items():
        count = int(name.split()[0].replace(",", "")) if name[0].isdigit() else 0
        each = f"   {(median - medians['1 step']) / (count - 1) * 1000:.2f} ms a step" if count > 1 else ""
        print(f"{name:<16}{median:.3f} s   (from {min(times[name]):.3f} to {max(times[name]):.3f}){each}")


if __name__ == "__main__":
    main()
