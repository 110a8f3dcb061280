"""Losses as they were logged, and their drawing."""

from __future__ import annotations

import json
import math
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemotron.reporting.curves import Curve, curve_svg, read_curve, summary, thin, ticks

FINITE = st.floats(-1e12, 1e12)


def progress(folder: Path, *lines: object) -> Path:
    file = folder / "progress.jsonl"
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    file.write_text("\n".join(texts), encoding="utf-8")
    return file


def curve(*losses: float, validation: tuple[tuple[float, float], ...] = ()) -> Curve:
    points = tuple((float(step), loss) for step, loss in enumerate(losses, start=1))
    return Curve(points, validation, "step", (), None)


@given(FINITE, FINITE, st.integers(2, 12))
def test_ticks_cover_the_range_evenly_and_are_few(one: float, other: float, count: int) -> None:
    low, high = min(one, other), max(one, other)
    found = ticks(low, high, count)
    slack = 1e-6 * max(abs(low), abs(high), 1e-6)
    assert found[0] <= low + slack
    assert found[-1] >= high - slack
    assert 2 <= len(found) <= count + 3


@pytest.mark.parametrize(
    ("low", "high", "count", "wanted"),
    [
        (4.4, 8.3, 5, [4, 5, 6, 7, 8, 9]),
        (0, 120, 6, [0, 20, 40, 60, 80, 100, 120]),
        (0.101, 0.108, 4, [0.1, 0.102, 0.104, 0.106, 0.108]),
        (3, 3, 5, [3, 4]),
        (0, 0, 5, [0, 0.2]),
    ],
)
def test_ticks_are_round(low: float, high: float, count: int, wanted: list[float]) -> None:
    assert ticks(low, high, count) == pytest.approx(wanted)


def test_what_the_job_logged_is_read(tmp_path: Path) -> None:
    lines = [
        {"step": 1, "total": 3, "loss": 8.0, "tokens_per_s": 90},
        {"step": 2, "total": 3, "loss": 7.0, "tokens_per_s": 110},
        {"step": 2, "validation_loss": 7.5},
        {"step": 3, "total": 3, "loss": 6.0, "tokens_per_s": 1000},
    ]
    found = read_curve(progress(tmp_path, *lines), [])
    assert found == Curve(((1, 8), (2, 7), (3, 6)), ((2, 7.5),), "step", (), 110)


def test_torn_and_odd_lines_are_passed_over(tmp_path: Path) -> None:
    odd = ["not JSON", [1], {"step": "x", "loss": 1.0}, {"step": 1, "loss": "low"}, '{"step": 3, "lo']
    found = read_curve(progress(tmp_path, *odd, {"step": 2, "loss": 5}), [])
    assert found is not None
    assert found.training == ((2.0, 5.0),)


def test_a_loss_that_is_not_finite_is_told_and_not_drawn(tmp_path: Path) -> None:
    lines = [{"step": 1, "loss": 2.0}, {"step": 2, "loss": math.nan}, {"step": 3, "loss": math.inf}]
    found = read_curve(progress(tmp_path, *lines), [])
    assert found is not None
    assert (found.training, found.not_finite) == (((1.0, 2.0),), (2.0, 3.0))
    assert "not finite 2 times, first at 2" in summary(found)


@pytest.mark.parametrize("lines", [[], [{"step": 1, "unit": "shards"}], [{"step": 1, "loss": math.nan}]])
def test_a_job_that_tells_no_loss_has_no_curve(tmp_path: Path, lines: list[object]) -> None:
    assert read_curve(progress(tmp_path, *lines), []) is None
    assert read_curve(tmp_path / "nothing", []) is None


def test_validations_that_automodel_wrote_beside_its_checkpoints_count_from_one(tmp_path: Path) -> None:
    lines = [{"step": 0, "val_loss": 6.5}, {"step": 1, "val_loss": 6.2}, {"step": 90, "val_loss": 1.0}]
    texts = "\n".join(json.dumps(line) for line in lines)
    (tmp_path / "validation.jsonl").write_text(texts, encoding="utf-8")
    found = read_curve(progress(tmp_path, {"step": 1, "loss": 7.0}, {"step": 2, "loss": 6.0}), [tmp_path])
    assert found is not None
    assert found.validation == ((1.0, 6.5), (2.0, 6.2))


def test_thinning_keeps_the_ends_and_every_spike() -> None:
    points = tuple((float(x), 1000.0 if x == 7777 else math.sin(x / 500)) for x in range(20_000))
    kept = thin(points)
    assert len(kept) <= 402
    assert {points[0], points[-1], (7777.0, 1000.0)} <= set(kept)
    assert list(kept) == sorted(kept)


def test_few_points_are_all_kept() -> None:
    points = tuple((float(x), 0.0) for x in range(400))
    assert thin(points) == points


@given(st.lists(FINITE, min_size=1, max_size=30), st.booleans())
def test_everything_that_is_drawn_is_inside(losses: list[float], with_validation: bool) -> None:
    validation = ((1.0, losses[0]),) if with_validation else ()
    drawing = ElementTree.fromstring(curve_svg(curve(*losses, validation=validation), "sft", "c"))
    _, _, width, height = (float(n) for n in drawing.attrib["viewBox"].split())
    points = [p.split(",") for line in drawing.iter("polyline") for p in line.attrib["points"].split()]
    points += [[dot.attrib["cx"], dot.attrib["cy"]] for dot in drawing.iter("circle")]
    assert points
    for x, y in points:
        assert 0 <= float(x) <= width
        assert 0 <= float(y) <= height


def test_the_axes_say_what_they_count() -> None:
    drawing = ElementTree.fromstring(curve_svg(curve(3.0, 2.0, 1.0), "sft", "c"))
    texts = ["".join(text.itertext()) for text in drawing.iter("text")]
    assert {"step", "loss", "1.0", "3.0"} <= set(texts)
    assert [e.text for e in drawing if e.tag in ("title", "desc")] == [
        "Loss of sft",
        "Training loss 3.000 at step 1, 1.000 at step 3.",
    ]
