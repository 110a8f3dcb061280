"""Places in TOML files: of keys and tables, past strings, comments and arrays that look like them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import stands, write

from nemotron.catalog.toml_places import TomlPath, find_place, syntax_place

TEXT = '''
    top = 1  # a comment with """ in it
    "quoted key" = 2
    a.b = 3

    [step]  # the first
    id = "x"
    text = """
    [not.a.table]
    id = 5
    """
    raw = \'\'\'
    id = "with \'\' quotes"
    \'\'\'
    after = 'it is "here"'
    matrix = [
      [1, 2],  # ]
      ["a = 1", "]"],
    ]
    last = { inner = [1] }

    [[consumes]]
    type = "first"
    [consumes.facts]
    record = { value = "messages" }

    [[consumes]]
      type = "second"
    [[consumes.of]]
    deep = 1
    [[consumes.of]]
    deep = 2
'''
PLACES: list[tuple[TomlPath, int, int, int]] = [
    (("top",), 1, 1, 3),
    (("quoted key",), 2, 1, 12),
    (("a", "b"), 3, 1, 3),
    (("step",), 5, 1, 6),
    (("step", "id"), 6, 1, 2),
    (("step", "text"), 7, 1, 4),
    (("step", "raw"), 11, 1, 3),
    (("step", "after"), 14, 1, 5),
    (("step", "matrix"), 15, 1, 6),
    (("step", "last"), 19, 1, 4),
    (("consumes", 0), 21, 1, 12),
    (("consumes", 0, "type"), 22, 1, 4),
    (("consumes", 0, "facts", "record"), 24, 1, 6),
    (("consumes", 1, "type"), 27, 3, 4),
    (("consumes", 1, "of", 0, "deep"), 29, 1, 4),
    (("consumes", 1, "of", 1, "deep"), 31, 1, 4),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    written = write(tmp_path / "f.toml", TEXT)
    tomllib.loads(written.read_text(encoding="utf-8"))
    return written


@pytest.mark.parametrize(("path", "line", "column", "length"), PLACES)
def test_a_key_has_its_place(file: Path, path: TomlPath, line: int, column: int, length: int) -> None:
    place = find_place(file, path)
    assert (place.line, place.column, place.length) == (line, column, length)


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        (("step", "last", "inner", 0), ("step", "last")),
        (("consumes", 1, "absent"), ("consumes", 1)),
        (("consumes", 0, "facts", "record", "value"), ("consumes", 0, "facts", "record")),
        (("not", "a", "table"), None),
    ],
)
def test_another_has_that_of_the_table_around_it(
    file: Path, path: TomlPath, nearest: TomlPath | None
) -> None:
    expected = find_place(file, nearest) if nearest else None
    assert stands(find_place(file, path)) == (stands(expected) if expected else (str(file), 1, 1))


VALUES = [
    "1",
    "true",
    '"a # b = [c"',
    "'it [is] \"so\"'",
    "[1, 2]",
    "[\n  [1],\n  ['k = 2', \"\"],\n]",
    "[ # [comment\n 1 ]",
    '"""\n[table]\nkey = 1\n"""',
    '"""one line"""',
    '"""with \\""" inside and "" two"""',
    '"""ends in quotes"""""',
    "'''\nkey = \"\"\"\n'''",
    "''",
    '""',
    "{ a = 1, b = '}' }",
]


@given(st.lists(st.sampled_from(VALUES), min_size=1, max_size=8), st.integers(0, 8))
def test_no_value_hides_the_keys_after_it(values: list[str], headers: int) -> None:
    lines: list[str] = []
    starts: dict[TomlPath, int] = {}
    table: TomlPath = ()
    for number, value in enumerate(values):
        if number and number <= headers:
            table = (f"t{number}",)
            lines.append(f"[t{number}]")
        starts[(*table, f"k{number}")] = len(lines) + 1
        lines += f"k{number} = {value}".split("\n")
    text = "\n".join(lines)
    tomllib.loads(text)
    assert _places(text, list(starts)) == starts


def _places(text: str, paths: list[TomlPath]) -> dict[TomlPath, int | None]:
    from tempfile import NamedTemporaryFile

    with NamedTemporaryFile("w", suffix=".toml", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        return {path: find_place(Path(stream.name), path).line for path in paths}


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [("a = 1\nb = = 2\n", 2, 5), ("a = 1\na = 2\n", 2, 6), ('a = "unclosed', 1, 14), ("a = [1,\n2", 2, 2)],
)
def test_a_syntax_error_stands_where_the_parser_says(
    tmp_path: Path, text: str, line: int, column: int
) -> None:
    file = write(tmp_path / "f.toml", "")
    file.write_text(text, encoding="utf-8")
    with pytest.raises(tomllib.TOMLDecodeError) as caught:
        tomllib.loads(text)
    place = syntax_place(file, str(caught.value))
    assert (place.line, place.column) == (line, column)
