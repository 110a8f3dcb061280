"""HTML and SVG elements whose text is always escaped: only an element goes in as it is. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

# What XML and HTML cannot hold, not even escaped.
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_EMPTY = frozenset({"meta", "br", "hr", "col", "link"})
_SVG_EMPTY = frozenset({"rect", "path", "line", "circle", "polyline"})


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


Child = str | int | float | None | Iterable["Child"]


def element(tag: str, /, *children: Child, **attributes: str | int | float | bool | None) -> Markup:
    """An element. `class_` stands for class, `stroke_width` for stroke-width; None leaves one out."""
    stated = "".join(_attribute(key, value) for key, value in attributes.items())
    if tag in _EMPTY:
        return Markup(f"<{tag}{stated}>")
    if tag in _SVG_EMPTY and not children:
        return Markup(f"<{tag}{stated}/>")
    return Markup(f"<{tag}{stated}>{markup(*children)}</{tag}>")


def markup(*children: Child) -> Markup:
    """Several children one after the other; text among them is escaped."""
    return Markup("".join(_child(child) for child in children))


def number(value: float) -> str:
    """A coordinate, as short as a tenth of a pixel needs."""
    return f"{value:.1f}".removesuffix(".0")


def _child(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, str):
        return escape(_FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", child))
    if isinstance(child, int | float):
        return escape(str(child))
    return markup(*child)


def _attribute(key: str, value: str | int | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    # HTML knows these by their SVG spelling alone.
    name = {"viewbox": "viewBox"}.get(name, name)
    if value is True:
        return f" {name}"
    text = number(value) if isinstance(value, float) else str(value)
    return f' {name}="{escape(_FORBIDDEN.sub("", text))}"'
