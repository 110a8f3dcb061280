"""How long the route search takes over generated catalogs of 100 to 10,000 steps, and how that grows.

    uv run python benchmarks/plan_search.py

Pure computation in one process, the catalog in memory. A catalog of n steps has n / 5 types in layers: a
step makes one type from one to three of the layers just before it, costs between 0.5 and 2, and every
seventh type is a child of an earlier one. Three artifacts of the first layer are at hand, and one of the last
is wanted. Prints the median of five searches of each of three such catalogs, beside a fixed computation
(sorting) in the same run, and the exponent of growth: the slope of the logarithms, by least squares.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from functools import partial
from math import log

from nemotron.planning.problem import Action, Given, Output, Port, Problem
from nemotron.planning.search import search

RUNS = 5
CATALOGS = 3
SIZES = (100, 300, 1000, 3000, 10_000)
LAYERS = 10


def catalog(count: int, seed: int) -> Problem:
    """A problem over a generated catalog of `count` steps."""
    chance = random.Random(f"{count} {seed}")
    types = [f"type_{number:05}" for number in range(count // 5)]
    wide = len(types) // LAYERS
    ancestors: dict[str, list[str]] = {}
    for number, name in enumerate(types):
        is_child = number % 7 == 6 and number % wide
        parent = types[chance.randrange(number - number % wide, number)] if is_child else None
        ancestors[name] = [name, *(ancestors[parent] if parent else [])]
    actions = []
    for number in range(count):
        made = chance.randrange(wide, len(types))
        before = range(max(0, made - made % wide - wide), made - made % wide)
        inputs = chance.sample(before, min(len(before), chance.choice([1, 1, 2, 2, 3])))
        ports = tuple(Port(f"port_{index}", types[kind]) for index, kind in enumerate(inputs))
        cost = chance.choice([0.5, 1.0, 1.0, 1.5, 2.0])
        actions.append(Action(f"step_{number:05}", cost, ports, (Output("made", types[made]),)))
    givens = tuple(Given(name, name) for name in types[:wide][:3])
    return Problem(_reachable(givens, actions, ancestors), givens, tuple(actions), ancestors)


def _reachable(givens: tuple[Given, ...], actions: list[Action], ancestors: dict[str, list[str]]) -> str:
    """The last type that can be made of what is at hand."""
    known = {kind for given in givens for kind in ancestors[given.type]}
    made: set[str] = set()
    while True:
        ready = [a for a in actions if all(port.type in known for port in a.ports)]
        found = {output.type for action in ready for output in action.outputs}
        if found <= made:
            return max(made)
        made |= found
        known |= {kind for name in found for kind in ancestors[name]}


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def reference() -> None:
    """A fixed piece of work: sorting 300,000 numbers."""
    chance = random.Random(0)
    sorted(chance.random() for _ in range(300_000))


def slope(points: list[tuple[float, float]]) -> float:
    """The exponent of growth: least squares over the logarithms."""
    xs, ys = [log(size) for size, _ in points], [log(value) for _, value in points]
    x_mean, y_mean = statistics.mean(xs), statistics.mean(ys)
    above = sum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True))
    return above / sum((x - x_mean) ** 2 for x in xs)


def main() -> None:
    fixed = statistics.median(seconds(reference) for _ in range(RUNS))
    print(f"reference     {fixed:.3f} s   (sorting 300,000 numbers)")
    points = []
    for size in SIZES:
        medians, lengths = [], []
        for seed in range(CATALOGS):
            asked = catalog(size, seed)
            lengths.append(len(search(asked)[0].steps))
            medians.append(statistics.median(seconds(partial(search, asked)) for _ in range(RUNS)))
        took = statistics.median(medians)
        points.append((float(size), took))
        each = ", ".join(f"{median:.3f}" for median in medians)
        steps = ", ".join(map(str, lengths))
        told = f"{took / fixed:.1f} of the reference; {each}; plans of {steps} steps"
        print(f"{size:>6,} steps  {took:.3f} s   ({told})")
    print(f"grows with the number of steps to the power of {slope(points):.2f}")


if __name__ == "__main__":
    main()
