"""A document: values by dotted keys, and the place of each."""

from __future__ import annotations

import copy
from functools import reduce
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nemotron.config.tree import Document, join_key, leaves, split_key
from nemotron.config.yaml_places import parse_yaml
from nemotron.diagnostic import Place

WORDS = st.sampled_from(["a", "b", "c", "0", "1", "007"])
KEYS = st.lists(WORDS, min_size=1, max_size=4).map(".".join)
SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3)
)
TREES = st.dictionaries(WORDS, VALUES, max_size=4)
PLACE = Place(argument="here")


def document(tree: dict[str, Any], name: str = "f") -> Document:
    made = Document()
    for key, value in tree.items():
        made.set(key, value, Place(name))
    return made


@given(TREES, KEYS, VALUES)
def test_what_is_set_is_got_and_nothing_beside_it_changes(tree: dict[str, Any], key: str, value: Any) -> None:
    made = document(tree)
    before = copy.deepcopy(made.tree)
    try:
        made.set(key, value, PLACE)
    except LookupError:
        assert made.tree == before
        return
    assert made.get(key, "absent") == value
    assert made.has(key)
    assert made.place(key) == PLACE
    kept = {p: v for p, v in leaves(before) if p and not _overlap(join_key(p), key)}
    assert {p: made.get(p, "absent") for p in kept} == kept


@given(TREES, KEYS)
def test_what_is_deleted_is_gone_with_its_places(tree: dict[str, Any], key: str) -> None:
    made = document(tree)
    had = made.has(key)
    if made.delete(key):
        assert had
        assert not made.has(key)
        assert not any(join_key(path) == key or join_key(path).startswith(f"{key}.") for path in made.places)
    else:
        owner = made.get(key.rpartition(".")[0]) if "." in key else {}
        assert not had or isinstance(owner, list)


@given(TREES, KEYS, VALUES)
def test_setting_a_new_key_and_deleting_it_leaves_the_rest(
    tree: dict[str, Any], key: str, value: Any
) -> None:
    made = document(tree)
    parent = key.rpartition(".")[0]
    assume(not made.has(key))
    assume(not parent or isinstance(made.get(parent), dict))
    before = copy.deepcopy(made.tree)
    made.set(key, value, PLACE)
    assert made.delete(key)
    assert made.tree == before


@given(TREES)
def test_every_value_has_a_place(tree: dict[str, Any]) -> None:
    made = document(tree)
    assert all(path in made.places for path, _ in leaves(made.tree) if path)


def _overlap(one: str, other: str) -> bool:
    a, b = f"{one}.", f"{other}."
    return a.startswith(b) or b.startswith(a)


# Trees that agree on what is a table: over those, merging is associative.
LAYERS = st.fixed_dictionaries(
    {},
    optional={
        "a": SCALARS,
        "b": st.lists(SCALARS, max_size=2),
        "t": st.fixed_dictionaries(
            {}, optional={"x": SCALARS, "u": st.dictionaries(WORDS, SCALARS, max_size=2)}
        ),
    },
)


@given(LAYERS, LAYERS, LAYERS)
def test_merging_is_associative_on_tables(a: dict[str, Any], b: dict[str, Any], c: dict[str, Any]) -> None:
    def merged(*parts: Document) -> Document:
        def over(base: Document, top: Document) -> Document:
            base.merge(top)
            return base

        return reduce(over, parts, Document())

    one, two, three = (document(tree, name) for tree, name in zip((a, b, c), "123", strict=True))
    left = merged(merged(one, two), three)
    right = merged(one, merged(two, three))
    assert left.tree == right.tree
    assert {p: left.place(p) for p, _ in leaves(left.tree)} == {
        p: right.place(p) for p, _ in leaves(right.tree)
    }


@given(TREES, TREES)
def test_the_upper_layer_wins_and_stays_as_it_was(lower: dict[str, Any], upper: dict[str, Any]) -> None:
    base, top = document(lower, "lower"), document(upper, "upper")
    base.merge(top)
    base.set("a", {"new": 1}, PLACE)
    assert top.tree == upper
    for path, value in leaves(upper):
        if path and path[0] != "a" and value != {}:
            assert base.get(path) == value
            assert base.place(path) == Place("upper")


@pytest.mark.parametrize(
    ("dotted", "path"),
    [
        ("a.b", ("a", "b")),
        ("a.0.b", ("a", 0, "b")),
        ("a.007", ("a", "007")),
        ("a.²", ("a", "²")),
        ("a.-1", ("a", "-1")),
        ("a." + "1" * 5000, ("a", "1" * 5000)),
    ],
)
def test_a_part_of_digits_is_an_index(dotted: str, path: tuple[str | int, ...]) -> None:
    assert split_key(dotted) == path
    assert join_key(path) == dotted


def test_a_number_is_a_word_in_a_table_and_an_index_in_a_list() -> None:
    made = parse_yaml("t: {'0': a}\nl: [b]\n", "f")
    assert (made.get("t.0"), made.get("l.0")) == ("a", "b")
    made.set("t.0", 1, PLACE)
    made.set("l.0", 2, PLACE)
    assert made.tree == {"t": {"0": 1}, "l": [2]}
    assert (made.place("t.0"), made.place(("t", "0")), made.place("l.0")) == (PLACE, PLACE, PLACE)
    assert made.delete("t.0")


@pytest.mark.parametrize("key", ["l.1", "l.x", "l.1.y", "l.-1"])
def test_a_list_has_no_further_entries(key: str) -> None:
    made = parse_yaml("l: [b]\n", "f")
    with pytest.raises(LookupError, match="a list of 1"):
        made.set(key, 1, PLACE)
    assert made.tree == {"l": ["b"]}


def test_the_place_of_an_absent_key_is_that_of_the_nearest_table() -> None:
    made = parse_yaml("a:\n  b:\n    c: 1\n", "f")
    assert (made.place("a.b.x.y"), made.place("x")) == (made.places[("a", "b")], None)


def test_keys_are_all_of_them_in_order() -> None:
    assert parse_yaml("b: {x: 1}\na: [1, {y: 2}]\nc: {}\n", "f").keys() == [
        "b",
        "b.x",
        "a",
        "a.0",
        "a.1",
        "a.1.y",
        "c",
    ]
    assert Document().keys() == []
