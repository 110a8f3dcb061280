"""The drawing of any acyclic graph: no text on another, no line through a box, nothing outside."""

from __future__ import annotations

from itertools import combinations, pairwise

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemotron.reporting.layout import LONGEST, Layout, Line, columns, lay_out, layers_of

Rectangle = tuple[float, float, float, float]  # left, top, right, bottom


def graph_from(edges: list[tuple[str, str]], *nodes: str) -> nx.DiGraph[str]:
    graph: nx.DiGraph[str] = nx.DiGraph()
    for node in [*nodes, *(name for edge in edges for name in edge)]:
        graph.add_node(node, kind="step", label=f"{node}\nsome/step")
    graph.add_edges_from(edges, label="checkpoint_hf")
    return graph


@st.composite
def graphs(draw: st.DrawFn) -> nx.DiGraph[str]:
    """Up to 30 nodes with labels of any text; every edge leads from a lower number to a higher one."""
    size = draw(st.integers(1, 30))
    texts = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=40)
    graph: nx.DiGraph[str] = nx.DiGraph()
    for number in range(size):
        graph.add_node(str(number), kind="step", label=f"{number} {draw(texts)}\n{draw(texts)}")
    pairs = st.tuples(st.integers(0, size - 1), st.integers(0, size - 1))
    for one, other in draw(st.lists(pairs, max_size=2 * size)):
        if one != other:
            graph.add_edge(str(min(one, other)), str(max(one, other)), label=draw(texts))
    return graph


def boxes_of(layout: Layout) -> list[Rectangle]:
    return [(b.x, b.y, b.x + b.width, b.y + b.height) for b in layout.boxes]


def label_of(line: Line) -> Rectangle:
    (x, y), (width, height) = line.label_at, line.label_size
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def meet(one: Rectangle, other: Rectangle) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def drawn(line: Line) -> list[tuple[float, float]]:
    """Points of the curve as it is drawn: upright at each of the line's points."""
    found = []
    for (x, y), (to_x, to_y) in pairwise(line.points):
        for part in range(21):
            t = part / 20
            along = 3 * t * t - 2 * t**3  # a cubic curve with upright ends
            found.append((x + (to_x - x) * along, y + (to_y - y) * _down(t)))
    return found


def _down(t: float) -> float:
    """How far down a curve is whose two inner control points are half-way."""
    return 1.5 * t * (1 - t) ** 2 + 1.5 * t * t * (1 - t) + t**3


@given(graphs())
def test_no_two_texts_meet_and_all_are_inside(graph: nx.DiGraph[str]) -> None:
    layout = lay_out(graph)
    rectangles = [*boxes_of(layout), *map(label_of, layout.lines)]
    assert len(layout.boxes) == len(graph)
    assert len(layout.lines) == graph.number_of_edges()
    assert [pair for pair in combinations(rectangles, 2) if meet(*pair)] == []
    for left, top, right, bottom in rectangles:
        assert min(left, top) >= 0
        assert right <= layout.width
        assert bottom <= layout.height


@given(graphs())
def test_no_line_runs_through_a_box_or_another_label(graph: nx.DiGraph[str]) -> None:
    layout = lay_out(graph)
    obstacles = boxes_of(layout)
    for line in layout.lines:
        others = [label_of(other) for other in layout.lines if other is not line]
        for x, y in drawn(line):
            assert 0 <= x <= layout.width
            inside = [r for r in [*obstacles, *others] if r[0] < x < r[2] and r[1] + 0.01 < y < r[3] - 0.01]
            assert inside == []


@given(graphs())
def test_lines_join_what_they_name_from_top_to_bottom(graph: nx.DiGraph[str]) -> None:
    layout = lay_out(graph)
    boxes = {box.name: box for box in layout.boxes}
    for line in layout.lines:
        source, target = boxes[line.source], boxes[line.target]
        (x, y), (to_x, to_y) = line.points[0], line.points[-1]
        assert source.x <= x <= source.x + source.width
        assert target.x <= to_x <= target.x + target.width
        assert (y, to_y) == (source.y + source.height, target.y)
        assert all(upper[1] <= lower[1] for upper, lower in pairwise(line.points))


def test_layers_follow_the_longest_path_and_a_have_stands_above_its_first_user() -> None:
    graph = graph_from([("a", "b"), ("b", "c"), ("a", "c"), ("late", "c"), ("alone", "b")])
    assert layers_of(graph) == {"a": 0, "b": 1, "c": 2, "late": 1, "alone": 0}


def test_nothing_is_drawn_of_nothing() -> None:
    assert lay_out(nx.DiGraph()).boxes == ()


def test_a_chain_is_straight() -> None:
    layout = lay_out(graph_from([("a", "b"), ("b", "c")]))
    assert len({round(box.x + box.width / 2, 6) for box in layout.boxes}) == 1


@pytest.mark.parametrize("label", ["x" * 400, "検" * 40, "é" * 60])
def test_a_long_text_is_cut_to_the_width_of_the_longest(label: str) -> None:
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_node("a", label=label)
    (box,) = lay_out(graph).boxes
    assert box.lines[0].endswith("…")
    assert columns(box.lines[0]) <= LONGEST


def test_the_same_graph_is_always_drawn_the_same() -> None:
    edges = [("a", "c"), ("b", "c"), ("c", "d"), ("a", "d")]
    assert lay_out(graph_from(edges)) == lay_out(graph_from(edges))
