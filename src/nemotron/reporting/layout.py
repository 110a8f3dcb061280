"""Where the boxes, the lines and the texts of a pipeline's graph go: layers from top to bottom. Pure.

Layers of boxes and layers of labels alternate, and every line has a slot of its own in each layer that it
passes, so no line runs through a box and no two texts meet.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

import networkx as nx

CHARACTER = 7.9  # a monospaced character of 13 pixels, by the widest of the usual fonts
LABEL_CHARACTER = 7.3  # and one of 12 pixels
LINE = 18.0
LONGEST = 30
_PADDING = 12.0
_GAP, _SLOT = 26.0, 14.0
_BAND = 26.0  # between a layer of boxes and one of labels, for the lines to move sideways
_LABEL_HEIGHT = 16.0
_MARGIN = 8.0
_SWEEPS = 8

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A node: its left upper corner, its size, its lines of text."""

    name: str
    x: float
    y: float
    width: float
    height: float
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Line:
    """An edge: points from top to bottom; its label has the middle and the size that are given."""

    source: str
    target: str
    points: tuple[Point, ...]
    label: str
    label_at: Point
    label_size: tuple[float, float]


@dataclass(frozen=True)
class Layout:
    """A whole drawing."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


@dataclass
class _Item:
    """Something with a place in a layer: a node, or a slot that an edge passes through."""

    key: tuple[str, ...]
    layer: int
    width: float
    height: float
    gap: float
    x: float = 0.0  # the middle


_Items = dict[tuple[str, ...], _Item]
_Links = dict[tuple[str, ...], tuple[list[_Item], list[_Item]]]


def lay_out(graph: nx.DiGraph[str]) -> Layout:
    """Lay out an acyclic graph; nodes and edges have a `label`."""
    if not graph:
        return Layout(2 * _MARGIN, 2 * _MARGIN, (), ())
    texts = {node: _lines(str(data.get("label", node))) for node, data in graph.nodes(data=True)}
    items: _Items = {(node,): _node(node, 2 * layer, texts[node]) for node, layer in layers_of(graph).items()}
    chains = {
        (a, b): _chain(items, a, b, _shorten(str(d.get("label", "")))) for a, b, d in graph.edges.data()
    }
    rows = _rows(items)
    links = _links(chains, items)
    _order(rows, links)
    _place(rows, links)
    tops = _tops(rows)
    shift = _MARGIN - min(item.x - item.width / 2 for item in items.values())
    for item in items.values():
        item.x += shift
    width = max(item.x + item.width / 2 for item in items.values()) + _MARGIN
    height = tops[-1] + max(item.height for item in rows[-1]) + _MARGIN
    boxes = tuple(_box(items[(node,)], tops, texts[node]) for node in graph.nodes)
    return Layout(width, height, boxes, tuple(_draw(graph, chains, items, rows, tops)))


def layers_of(graph: nx.DiGraph[str]) -> dict[str, int]:
    """Each node's layer: below all that it needs, and what needs nothing right above its first user."""
    order = list(nx.lexicographical_topological_sort(graph, key=list(graph.nodes).index))
    layers: dict[str, int] = {}
    for node in order:
        layers[node] = max((layers[before] + 1 for before in graph.predecessors(node)), default=0)
    for node in order:
        after = [layers[user] for user in graph.successors(node)]
        if after and not graph.in_degree(node):
            layers[node] = min(after) - 1
    return layers


def columns(text: str) -> int:
    """How many monospaced characters wide a text is."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def _lines(label: str) -> tuple[str, ...]:
    return tuple(_shorten(line) for line in label.split("\n"))


def _shorten(text: str) -> str:
    if columns(text) <= LONGEST:
        return text
    while columns(text) > LONGEST - 1:
        text = text[:-1]
    return text + "…"


def _node(node: str, layer: int, lines: tuple[str, ...]) -> _Item:
    width = max(columns(line) for line in lines) * CHARACTER + 2 * _PADDING
    return _Item((node,), layer, max(width, 80.0), len(lines) * LINE + _PADDING, _GAP)


def _chain(items: _Items, source: str, target: str, label: str) -> list[_Item]:
    """The slots of an edge between its nodes: the label's is the last."""
    first, last = items[(source,)].layer + 1, items[(target,)].layer - 1
    chain = []
    for layer in range(first, last + 1):
        wide = columns(label) * LABEL_CHARACTER + 8 if layer == last else 4.0
        item = _Item((source, target, str(layer)), layer, wide, _LABEL_HEIGHT, _SLOT)
        items[item.key] = item
        chain.append(item)
    return chain


def _rows(items: _Items) -> list[list[_Item]]:
    rows: dict[int, list[_Item]] = defaultdict(list)
    for item in items.values():
        rows[item.layer].append(item)
    return [rows[layer] for layer in sorted(rows)]


def _links(chains: dict[tuple[str, str], list[_Item]], items: _Items) -> _Links:
    """For each item, those that a line joins it with in the layer above and in the one below."""
    links: _Links = {key: ([], []) for key in items}
    for (source, target), chain in chains.items():
        path = [items[(source,)], *chain, items[(target,)]]
        for upper, lower in pairwise(path):
            links[lower.key][0].append(upper)
            links[upper.key][1].append(lower)
    return links


def _order(rows: list[list[_Item]], links: _Links) -> None:
    """Sort every row by the mean position of its neighbours, down and up in turn: fewer crossings."""
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        place = {item.key: position for row in rows for position, item in enumerate(row)}
        for row in rows if down else reversed(rows):
            means = {i.key: _mean([place[o.key] for o in links[i.key][0 if down else 1]]) for i in row}
            # What has no neighbour on that side stays where it is.
            row.sort(key=lambda i: (place[i.key] if means[i.key] is None else means[i.key], place[i.key]))
            place.update((item.key, position) for position, item in enumerate(row))


def _place(rows: list[list[_Item]], links: _Links) -> None:
    """Give every item a middle near those of its neighbours, keeping order and gaps."""
    for row in rows:
        _spread(row, [0.0] * len(row))
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for row in rows if down else reversed(rows):
            wished = [_mean([o.x for o in links[i.key][0 if down else 1]]) for i in row]
            _spread(row, [i.x if x is None else x for i, x in zip(row, wished, strict=True)])


def _spread(row: list[_Item], wished: list[float]) -> None:
    """The places closest to the wished ones that keep order and gaps: neighbours are pooled, as in isotonic
    regression.
    """
    offsets, total = [], 0.0
    for before, item in zip([None, *row], row, strict=False):
        if before is not None:
            total += before.width / 2 + max(before.gap, item.gap) + item.width / 2
        offsets.append(total)
    pools: list[tuple[float, int]] = []
    for wish, offset in zip(wished, offsets, strict=True):
        mean, size = wish - offset, 1
        while pools and pools[-1][0] > mean:
            other, count = pools.pop()
            mean, size = (mean * size + other * count) / (size + count), size + count
        pools.append((mean, size))
    bases = [mean for mean, size in pools for _ in range(size)]
    for item, base, offset in zip(row, bases, offsets, strict=True):
        item.x = base + offset


def _tops(rows: list[list[_Item]]) -> list[float]:
    tops, y = [], _MARGIN
    for row in rows:
        tops.append(y)
        y += max(item.height for item in row) + _BAND
    return tops


def _box(item: _Item, tops: list[float], lines: tuple[str, ...]) -> Box:
    return Box(item.key[0], item.x - item.width / 2, tops[item.layer], item.width, item.height, lines)


def _draw(
    graph: nx.DiGraph[str],
    chains: dict[tuple[str, str], list[_Item]],
    items: _Items,
    rows: list[list[_Item]],
    tops: list[float],
) -> list[Line]:
    deep = [max(item.height for item in row) for row in rows]
    lines = []
    for source, target, data in graph.edges.data():
        start, end, chain = items[(source,)], items[(target,)], chains[source, target]
        leaves = sorted((chains[source, other][0] for other in graph.successors(source)), key=lambda i: i.x)
        comes = sorted((chains[other, target][-1] for other in graph.predecessors(target)), key=lambda i: i.x)
        points = [(_port(start, leaves.index(chain[0]), len(leaves)), tops[start.layer] + start.height)]
        if start.height < deep[start.layer]:
            points.append((points[0][0], tops[start.layer] + deep[start.layer]))
        for item in chain:
            points += [(item.x, tops[item.layer]), (item.x, tops[item.layer] + deep[item.layer])]
        points.append((_port(end, comes.index(chain[-1]), len(comes)), tops[end.layer]))
        last = chain[-1]
        middle = (last.x, tops[last.layer] + last.height / 2)
        label = _shorten(str(data.get("label", "")))
        lines.append(Line(source, target, tuple(points), label, middle, (last.width, last.height)))
    return lines


def _port(item: _Item, position: int, count: int) -> float:
    """Where on a box the line of that many begins or ends: they are spread about its middle."""
    step = min(22.0, (item.width - 2 * _PADDING) / max(count - 1, 1))
    return item.x + (position - (count - 1) / 2) * step


def _mean(values: list[float] | list[int]) -> float | None:
    return sum(values) / len(values) if values else None
