"""How long `nemotron steps list` takes as a whole process, beside `python -c pass` on the same machine.

    uv run python benchmarks/steps_list.py

Prints the median of ten runs of each, alternating, and their ratio.
"""

from __future__ import annotations

from timing import BARE, PROGRAM, alternate

RUNS = 10


def main() -> None:
    times = alternate({"python -c pass": BARE, "nemotron steps list": [PROGRAM, "steps", "list"]}, RUNS)
    for name, found in times.items():
        print(f"{name:<22}{found}")
    print(f"{'ratio':<22}{times['nemotron steps list'].median / times['python -c pass'].median:.1f}")


if __name__ == "__main__":
    main()
