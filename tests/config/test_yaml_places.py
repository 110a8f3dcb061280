"""YAML: scalars of the 1.2 core schema, a place for every key, every mistake where it stands."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from small import failure, stands, write

from nemotron.config.tree import leaves
from nemotron.config.yaml_places import dump_flow, dump_yaml, parse_scalar, parse_yaml, read_yaml

SCALARS: list[tuple[str, Any]] = [
    ("", None),
    ("~", None),
    ("null", None),
    ("Null", None),
    ("nULL", "nULL"),
    ("true", True),
    ("FALSE", False),
    ("tRUE", "tRUE"),
    ("yes", "yes"),
    ("no", "no"),
    ("on", "on"),
    ("12", 12),
    ("+12", 12),
    ("-0", 0),
    ("007", 7),
    ("0o17", 15),
    ("0x1F", 31),
    ("-0x1F", "-0x1F"),
    ("0b1", "0b1"),
    ("1_000", "1_000"),
    ("12:30:45", "12:30:45"),
    ("2001-01-01", "2001-01-01"),
    ("1e-5", 1e-5),
    ("1E5", 1e5),
    ("1.", 1.0),
    (".5", 0.5),
    ("+.5e-3", 0.0005),
    ("-.inf", -math.inf),
    (".INF", math.inf),
    ("inf", "inf"),
    ("nan", "nan"),
    ("1e", "1e"),
    (".", "."),
    ("1.2.3", "1.2.3"),
    ("<<", "<<"),
    ("???", "???"),
    ("1\n", "1\n"),
]


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_a_scalar_is_what_the_core_schema_says(text: str, value: Any) -> None:
    read = parse_scalar(text)
    assert (read, type(read)) == (value, type(value))


def test_not_a_number_is_a_number() -> None:
    assert math.isnan(parse_scalar(".nan"))


@given(st.integers())
def test_every_integer_is_read(number: int) -> None:
    assert parse_scalar(str(number)) == number


@given(st.text("0123456789.eE+-", min_size=1, max_size=8))
def test_decimal_notation_is_pythons(text: str) -> None:
    """Over these characters the core schema's numbers are exactly those that Python reads."""
    try:
        expected: Any = float(text) if set(text) & set(".eE") else int(text)
    except ValueError:
        expected = text
    read = parse_scalar(text)
    assert (read, type(read)) == (expected, type(expected))


@given(st.text("abcfinorstuyxo0123456789.+-_~ABEINTF", min_size=1, max_size=6).filter(lambda t: t[0] != "-"))
def test_a_plain_scalar_in_a_file_is_read_as_in_an_argument(text: str) -> None:
    assert repr(parse_yaml(f"key: {text}", "f").tree["key"]) == repr(parse_scalar(text))


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
SCALAR = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT
SCALAR |= st.sampled_from([text for text, _ in SCALARS])
TREES = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(st.dictionaries(st.text(max_size=5) | st.sampled_from(["1e5", "no", "~", "<<"]), TREES, max_size=4))
def test_what_is_written_reads_back_the_same(tree: dict[str, Any]) -> None:
    assert parse_yaml(dump_yaml(tree), "f").tree == tree


@given(TREES)
@example("???")
@example(["???", "a: b", "x #y", "-", "", "no", "1e5", {"<<": "}", "?": ","}])
def test_what_is_written_on_one_line_reads_back_the_same(value: Any) -> None:
    text = dump_flow(value)
    assert "\n" not in text
    assert parse_yaml(f"key: {text}  # a comment\n", "f").tree == {"key": value}


@given(st.dictionaries(st.sampled_from("abcd"), TREES, min_size=1, max_size=4))
def test_every_key_has_its_place(tree: dict[str, Any]) -> None:
    text = dump_yaml(tree)
    document = parse_yaml(text, "f")
    starts = {
        key: text.split("\n").index(line) for line in text.split("\n") for key in tree if _opens(line, key)
    }
    for path, _ in leaves(document.tree):
        place = document.places[path]
        top = document.places[path[:1]]
        assert (top.file, top.line, top.column) == ("f", starts[str(path[0])] + 1, 1)
        assert place.line is not None
        assert place.line >= starts[str(path[0])] + 1


def _opens(line: str, key: str) -> bool:
    return line.startswith(f"{key}:")


def test_places_count_lines_and_columns_from_one() -> None:
    document = parse_yaml("a: 1\nlonger:\n  inner: [x, {y: 2}]\n", "f")
    assert {path: (p.line, p.column, p.length) for path, p in document.places.items()} == {
        ("a",): (1, 1, 1),
        ("longer",): (2, 1, 6),
        ("longer", "inner"): (3, 3, 5),
        ("longer", "inner", 0): (3, 11, 1),
        ("longer", "inner", 1): (3, 14, 6),
        ("longer", "inner", 1, "y"): (3, 15, 1),
    }


MERGES = [
    ("base: &b {x: 1, y: 2}\nown: {<<: *b, y: 3}", {"x": 1, "y": 3}),
    ("base: &b {x: 1}\nother: &o {x: 5, z: 6}\nown: {<<: [*b, *o]}", {"x": 1, "z": 6}),
    ("base: &b {x: 1}\nown: {y: 2, <<: *b}", {"x": 1, "y": 2}),
    ('own: {"<<": 1}', {"<<": 1}),
]


@pytest.mark.parametrize(("text", "own"), MERGES)
def test_a_merge_key_takes_what_the_mapping_has_not(text: str, own: dict[str, Any]) -> None:
    assert parse_yaml(text, "f").tree["own"] == own


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n"])
def test_an_empty_file_is_an_empty_config(text: str) -> None:
    assert parse_yaml(text, "f").tree == {}


MISTAKES = [
    ("a: [1, 2", "NMT210", 1, 9, "flow sequence"),
    ("a: 1\n\tb: 2", "NMT210", 2, 1, "token"),
    ("a: b: c", "NMT210", 1, 5, "mapping values"),
    ("a: 1\n---\nb: 2", "NMT210", 2, 1, "another document"),
    ("a: *nowhere", "NMT210", 1, 4, "undefined alias"),
    ("a: &x [1, *x]", "NMT210", 1, 4, "alias"),
    ("a: !!int x1", "NMT210", 1, 4, "not a int"),
    ("a: !!bool yes", "NMT210", 1, 4, "not a bool"),
    ("a: " + "1" * 5000, "NMT210", 1, 4, "not a int"),
    ("a: !ours 1", "NMT210", 1, 4, "!ours"),
    ("a: 1\nb: '\x01'", "NMT210", 2, 5, "U+0001"),
    ('a: 1\nb: "\\0"', "NMT210", 2, 4, "U+0000"),
    ("a: " + "[" * 2000, "NMT210", 1, 1, "too deeply"),
    ("- a\n- b", "NMT211", 1, 1, "mapping"),
    ("just words", "NMT211", 1, 1, "mapping"),
    ("[a, b]: 1", "NMT211", 1, 1, "plain word"),
    ("a: 1\n<<: 5", "NMT211", 2, 5, "<<"),
    ("<<: [1]", "NMT211", 1, 5, "<<"),
    ("a: 1\nb: 2\na: 3", "NMT212", 3, 1, "'a'"),
]


@pytest.mark.parametrize(("text", "code", "line", "column", "words"), MISTAKES)
def test_a_mistake_is_reported_where_it_stands(
    text: str, code: str, line: int, column: int, words: str
) -> None:
    found = failure(lambda: parse_yaml(text, "f.yaml"))
    assert (found.code, stands(found.where)) == (code, ("f.yaml", line, column))
    assert words in found.summary


def test_a_missing_value_inside_brackets_wants_quotes() -> None:
    found = failure(lambda: parse_yaml("a: {b: ???}", "f"))
    assert found.fix == 'inside [ ] and { }, write "???" in quotes'


def test_a_file_that_is_not_utf8_is_reported_at_the_byte(tmp_path: Path) -> None:
    file = tmp_path / "latin.yaml"
    file.write_bytes(b"a: 1\nb: caf\xe9\n")
    found = failure(lambda: read_yaml(file))
    assert (found.code, stands(found.where)) == ("NMT210", (str(file), 2, 7))


def test_a_file_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    found = failure(lambda: read_yaml(tmp_path))
    assert found.code == "NMT210"
    assert "cannot be read" in found.summary


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    file = write(tmp_path / "f.yaml", "")
    file.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_yaml(file).tree == {"a": 1}
