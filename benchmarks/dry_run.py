"""How long the dry run of the largest shipped config takes as a whole process, beside `python -c pass`.

    uv run python benchmarks/dry_run.py

Prints the median of ten runs of each, alternating, and their ratio. The largest config is the one with the
most lines, those of its `defaults:` included.
"""

from __future__ import annotations

from timing import BARE, PROGRAM, alternate

from nemotron.catalog.catalog import default_catalog
from nemotron.config.layers import read_layers
from nemotron.config.tree import leaves

RUNS = 10
# What a dry run finds missing here (a library, a path) is no failure.
DONE_OR_BLOCKED = (0, 3)


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
    dry_run = [PROGRAM, "steps", "run", identity, "-c", config, "--dry-run"]
    times = alternate({"python -c pass": BARE, "dry run": dry_run}, RUNS, DONE_OR_BLOCKED)
    print(f"{identity} -c {config}, {count} values")
    for name, found in times.items():
        print(f"{name:<16}{found}")
    print(f"{'ratio':<16}{times['dry run'].median / times['python -c pass'].median:.1f}")


if __name__ == "__main__":
    main()
