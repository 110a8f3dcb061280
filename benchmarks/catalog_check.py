"""How long `nemotron catalog check` takes over 100, 300 and 1,000 generated steps, as a whole process.

    uv run python benchmarks/catalog_check.py

The steps are copies of the shipped ones under ids of their own, with their manifests, configs and READMEs,
so that they are as large and as varied as real ones. Prints the median of five runs of each size, the time
per step (less the process's start) beside it, and `python -c pass` in the same run.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from timing import BARE, PROGRAM, alternate

RUNS = 5
SIZES = (100, 300, 1000)
STEPS = Path(__file__).resolve().parents[1] / "steps"
STEPS_IN_A_CATEGORY = 50


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
    with tempfile.TemporaryDirectory() as folder:
        commands = {}
        for size in (1, *SIZES):
            generate(Path(folder) / str(size), size)
            commands[size] = [PROGRAM, "catalog", "check", str(Path(folder) / str(size))]
        names = {size: f"{size:,} step{'s' * (size > 1)}" for size in commands}
        named = {names[size]: argv for size, argv in commands.items()}
        times = alternate({"python -c pass": BARE, **named}, RUNS)
    print(f"{'python -c pass':<16}{times['python -c pass']}")
    for size, name in names.items():
        beyond = times[name].median - times[names[1]].median
        each = f"   {beyond / (size - 1) * 1000:.2f} ms a step" if size > 1 else ""
        print(f"{name:<16}{times[name]}{each}")


if __name__ == "__main__":
    main()
