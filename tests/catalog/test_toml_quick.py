"""Fast TOML: the same as tomllib, or left to it."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemotron.catalog.catalog import default_catalog
from nemotron.catalog.toml_quick import quick_toml

LINES = [
    'a = "x"',
    "a = 'x'",
    "b = 1",
    "a = 2",
    "b = [1, {c = 2}]",
    "b = {c = 1}",
    "c.d = 1",
    'd = "\\u00e9"  # é',
    'e = """',
    '"""',
    'e = """one line"""',
    "f = [",
    "]",
    "# a comment",
    " a = 1",
    "[a]",
    "[a.b]",
    "[[a]]",
    "[[b]]",
    "[b.c]",
    "[b]",
    "[a]]",
    "[[c.d]]",
    "[ c ]",
    "nonsense",
    "",
]


def standard(text: str) -> dict[str, object] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


@given(st.lists(st.sampled_from(LINES), max_size=7))
def test_it_agrees_with_tomllib_or_leaves_the_text_to_it(lines: list[str]) -> None:
    text = "\n".join(lines)
    found = quick_toml(text)
    assert found is None or found == standard(text)


def test_most_shipped_manifests_are_plain_and_all_read_the_same() -> None:
    texts = [(f / "step.toml").read_text(encoding="utf-8") for f in default_catalog().folders.values()]
    found = [quick_toml(text) for text in texts]
    assert [f for f in found if f is not None] == [
        tomllib.loads(text) for text, f in zip(texts, found, strict=True) if f is not None
    ]
    assert found.count(None) < len(found) / 4


@pytest.mark.parametrize(
    "text",
    [
        "a = 1\na = 2",
        "[a]\n[a]",
        "a = {}\n[a.b]",
        "b = [{}]\n[[b]]",
        "a = 1\r\nb = 2",
        'a = """x',
        "a = 'é\0'",
    ],
)
def test_what_is_wrong_or_unusual_is_left_to_tomllib(text: str) -> None:
    assert quick_toml(text) is None
