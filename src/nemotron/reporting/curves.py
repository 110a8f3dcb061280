"""Loss curves: what a job told of its loss, and its drawing as SVG. Reads progress.jsonl."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from nemotron.reporting.markup import Markup, element, markup, number

_MOST_POINTS = 400
_VALIDATION = ("validation_loss", "val_loss")
WIDTH, HEIGHT = 460.0, 250.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 22.0, 12.0, 42.0

Point = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """The losses of one step, by what is counted (`unit`), and how fast it went."""

    training: tuple[Point, ...]
    validation: tuple[Point, ...]
    unit: str
    not_finite: tuple[float, ...]
    tokens_per_s: float | None


def read_curve(progress: Path, folders: list[Path]) -> Curve | None:
    """The curve of an attempt; None where its job told of no loss. `folders` are its output folders."""
    lines = list(_lines(progress))
    told = [
        (x, line["loss"]) for line in lines if (x := _number(line, "step")) is not None and "loss" in line
    ]
    training = tuple((x, float(y)) for x, y in told if _is_finite(y))
    if not training:
        return None
    validation = [
        (x, y)
        for line in lines
        for name in _VALIDATION
        if (x := _number(line, "step")) is not None and (y := _number(line, name)) is not None
    ]
    speeds = [speed for line in lines if (speed := _number(line, "tokens_per_s")) is not None]
    return Curve(
        training,
        tuple(sorted(validation or _by_automodel(folders, training[-1][0]))),
        next((str(line["unit"]) for line in lines if "unit" in line), "step"),
        tuple(x for x, y in told if isinstance(y, float) and not math.isfinite(y)),
        median(speeds) if speeds else None,
    )


def _by_automodel(folders: list[Path], last: float) -> list[Point]:
    """AutoModel writes its validations beside its checkpoints, and counts steps from 0."""
    lines = (line for folder in folders for line in _lines(folder / "validation.jsonl"))
    found = [(_number(line, "step"), _number(line, "val_loss")) for line in lines]
    return [(x + 1, y) for x, y in found if x is not None and y is not None and x + 1 <= last]


def curve_svg(curve: Curve, name: str, identity: str) -> Markup:
    """The drawing, with axes, ticks and a legend; `identity` makes its ids unique in the page."""
    points = [*curve.training, *curve.validation]
    low, high = min(x for x, _ in points), max(x for x, _ in points)
    low = 0.0 if 0 <= low <= high / 10 else low
    x_ticks = [tick for tick in ticks(low, high, 6) if low <= tick <= high]
    y_ticks = ticks(min(y for _, y in points), max(y for _, y in points), 5)
    scale = _Scale((low, high), (y_ticks[0], y_ticks[-1]))
    title, described = f"{identity}-title", f"{identity}-desc"
    return element(
        "svg",
        element("title", f"Loss of {name}", id=title),
        element("desc", summary(curve), id=described),
        _axes(scale, x_ticks, y_ticks, curve.unit),
        _series(thin(curve.training), scale, "training"),
        _series(curve.validation, scale, "validation"),
        role="img",
        aria_labelledby=f"{title} {described}",
        class_="curve",
        viewbox=f"0 0 {number(WIDTH)} {number(HEIGHT)}",
    )


def summary(curve: Curve) -> str:
    """The curve in one or two sentences."""
    (first, begun), (last, loss), unit = curve.training[0], curve.training[-1], curve.unit
    text = f"Training loss {begun:.3f} at {unit} {first:,.0f}"
    if len(curve.training) > 1:
        text += f", {loss:.3f} at {unit} {last:,.0f}"
    if curve.validation:
        at, value = curve.validation[-1]
        text += f"; validation loss {value:.3f} at {unit} {at:,.0f}"
    if curve.tokens_per_s is not None:
        text += f"; {curve.tokens_per_s:,.0f} tokens/s in the median"
    if curve.not_finite:
        count, start = len(curve.not_finite), curve.not_finite[0]
        text += f". The loss was not finite {count} times, first at {start:,.0f}"
    return text + "."


def ticks(low: float, high: float, count: int) -> list[float]:
    """Round numbers from below `low` to above `high`, about `count` of them, evenly apart."""
    span, size = high - low, max(abs(low), abs(high))
    if span <= 1e-9 * size or span < 1e-12:
        span = size if size >= 1e-12 else 1.0
    rough = span / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [n * step for n in range(first, max(last, first + 1) + 1)]


def thin(points: tuple[Point, ...]) -> tuple[Point, ...]:
    """At most some hundred points: of each stretch the lowest and the highest, so that spikes stay."""
    if len(points) <= _MOST_POINTS:
        return points
    stretch = math.ceil(len(points) / (_MOST_POINTS // 2 - 1))
    kept = {points[0], points[-1]}
    for start in range(0, len(points), stretch):
        part = points[start : start + stretch]
        kept |= {min(part, key=lambda p: p[1]), max(part, key=lambda p: p[1])}
    return tuple(sorted(kept))


class _Scale:
    """From values to pixels."""

    def __init__(self, x_range: Point, y_range: Point) -> None:
        low, high = x_range
        self.x_range = x_range if low < high else (low - 0.5, high + 0.5)
        self.y_range = y_range

    def x(self, value: float) -> float:
        low, high = self.x_range
        return _LEFT + (value - low) / (high - low) * (WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        low, high = self.y_range
        return HEIGHT - _BOTTOM - (value - low) / (high - low) * (HEIGHT - _TOP - _BOTTOM)


def _axes(scale: _Scale, x_ticks: list[float], y_ticks: list[float], unit: str) -> Markup:
    left, right, bottom = _LEFT, WIDTH - _RIGHT, HEIGHT - _BOTTOM
    return markup(
        [element("line", x1=left, x2=right, y1=scale.y(y), y2=scale.y(y), class_="grid") for y in y_ticks],
        [element("text", _tick(y, y_ticks), x=left - 8, y=scale.y(y), class_="tick y") for y in y_ticks],
        [
            element("line", x1=scale.x(x), x2=scale.x(x), y1=bottom, y2=bottom + 4, class_="axis")
            for x in x_ticks
        ],
        [element("text", _tick(x, x_ticks), x=scale.x(x), y=bottom + 15, class_="tick x") for x in x_ticks],
        element("line", x1=left, x2=right, y1=bottom, y2=bottom, class_="axis"),
        element("text", unit, x=(left + right) / 2, y=HEIGHT - 7, class_="unit"),
        element("text", "loss", x=-(_TOP + bottom) / 2, y=11.0, class_="unit", transform="rotate(-90)"),
    )


def _series(points: tuple[Point, ...], scale: _Scale, kind: str) -> Markup:
    places = [(scale.x(x), scale.y(y)) for x, y in points]
    path = " ".join(f"{number(x)},{number(y)}" for x, y in places)
    dots = places if kind == "validation" or len(places) == 1 else []
    return markup(
        element("polyline", points=path, class_=kind) if len(places) > 1 else None,
        [
            element(
                "circle",
                element("title", f"{kind} loss {loss:.4f} at {at:,.0f}"),
                cx=x,
                cy=y,
                r=4.0,
                class_=kind,
            )
            for (x, y), (at, loss) in zip(places, points, strict=True)
        ]
        if dots
        else None,
    )


def _tick(value: float, all_ticks: list[float]) -> str:
    """A tick's number with just the decimals that tell it from its neighbours."""
    step = all_ticks[1] - all_ticks[0] if len(all_ticks) > 1 else 1.0
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return f"{value + 0.0:,.{min(decimals, 6)}f}" if abs(value) < 1e9 else f"{value:.3g}"


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in text.splitlines():
        try:
            told = json.loads(line)
        except ValueError:
            continue
        if isinstance(told, dict):
            yield told


def _number(line: dict[str, Any], name: str) -> float | None:
    value = line.get(name)
    return float(value) if value is not None and _is_finite(value) else None


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
