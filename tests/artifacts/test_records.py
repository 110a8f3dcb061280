"""JSONL and JSON: the lines that a job would stumble over, with their numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import jsonl, write

from nemotron.artifacts import records
from nemotron.artifacts.records import bad_json, bad_records, is_empty

GOOD = {"messages": [{"role": "user", "content": "x"}]}
CHAT = ("messages", "conversations")

BAD = [
    ('{"messages": [', "is not JSON (Expecting value)", 15),
    ('  {"a" 1}', "is not JSON (Expecting ':' delimiter)", 8),
    ("nothing", "is not JSON (Expecting value)", 1),
    ('{"a": 1} extra', "is not JSON (Extra data)", 10),
    ("[1]", "is a JSON list, not an object", 1),
    ('"text"', "is a JSON str, not an object", 1),
    ("null", "is a JSON NoneType, not an object", 1),
    ('{"text": "x"}', "has no 'messages' or 'conversations' (it has 'text')", 1),
    ("{}", "has no 'messages' or 'conversations' (it has nothing)", 1),
    ('{"messages": null}', "has 'messages' that are not a list of turns", 1),
    ('{"messages": []}', "has 'messages' that are not a list of turns", 1),
    ('{"messages": "hi"}', "has 'messages' that are not a list of turns", 1),
    ('{"messages": ["hi"]}', "has a turn without a 'role'", 1),
    ('{"messages": [{"role": "user"}, {"content": "x"}]}', "has a turn without a 'role'", 1),
    ('{"a": ' + "9" * 5000 + "}", "is not JSON that can be read", 1),
    ("[" * 100_000, "is not JSON that can be read", 1),
]


@pytest.mark.parametrize(("line", "reason", "column"), BAD)
@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_a_bad_line_is_reported_with_its_number_and_why(
    tmp_path: Path, line: str, reason: str, column: int, end: str
) -> None:
    file = tmp_path / "f.jsonl"
    file.write_bytes(f"{json.dumps(GOOD)}\n\n{line}{end}".encode())
    (found,) = bad_records(file, CHAT)
    assert (found.line, found.column) == (3, column)
    assert found.reason.startswith(reason)


@pytest.mark.parametrize(
    "line", [json.dumps(GOOD), '{"conversations": 5}', '\ufeff{"messages": [{"role": "user"}]}', "", "   "]
)
def test_a_line_that_a_job_can_use_is_not_reported(tmp_path: Path, line: str) -> None:
    assert bad_records(jsonl(tmp_path / "f.jsonl", line, line), CHAT) == []


def test_what_is_not_text_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "f.jsonl"
    file.write_bytes(b'{"text": "caf\xe9"}\n')
    (found,) = bad_records(file, ())
    assert (found.line, found.reason) == (1, "is not UTF-8 text")


def test_any_object_will_do_where_no_key_is_wanted(tmp_path: Path) -> None:
    assert bad_records(jsonl(tmp_path / "f.jsonl", {}, {"x": 1}), ()) == []


def test_only_the_first_few_are_reported(tmp_path: Path) -> None:
    file = jsonl(tmp_path / "f.jsonl", GOOD, *["bad"] * 20)
    assert [bad.line for bad in bad_records(file, CHAT)] == [2, 3, 4, 5, 6]
    assert [bad.line for bad in bad_records(file, CHAT, limit=2)] == [2, 3]


@given(st.lists(st.booleans(), max_size=12))
def test_exactly_the_bad_lines_are_reported(good: list[bool]) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        file = jsonl(Path(folder) / "f.jsonl", *[GOOD if fine else "bad" for fine in good])
        found = bad_records(file, CHAT, limit=99)
    assert [bad.line for bad in found] == [number for number, fine in enumerate(good, 1) if not fine]


def test_what_lies_beyond_the_first_part_is_left_to_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "SCAN_BYTES", 100)
    inside = jsonl(tmp_path / "in.jsonl", "x" * 49, "y" * 48)
    assert [bad.line for bad in bad_records(inside, CHAT)] == [1, 2]
    beyond = jsonl(tmp_path / "out.jsonl", "x" * 49, "y" * 60)
    assert [bad.line for bad in bad_records(beyond, CHAT)] == [1]
    assert bad_records(jsonl(tmp_path / "one.jsonl", "x" * 500), CHAT) == []


@pytest.mark.parametrize(
    ("text", "expected"), [("", True), (" \n\t\n", True), ("x", False), ("\n\nx", False)]
)
def test_a_file_of_white_space_is_empty(tmp_path: Path, text: str, expected: bool) -> None:
    file = tmp_path / "f"
    file.write_text(text, encoding="utf-8")
    assert is_empty(file) is expected


@pytest.mark.parametrize(
    ("content", "line", "column", "reason"),
    [
        (b'{"a": 1,\n "b" 2}', 2, 6, "is not JSON"),
        (b"", 1, 1, "is not JSON"),
        (b"[1]", 1, 1, "is not a JSON object"),
        (b'{"a": "\xe9"}', 1, 1, "is not UTF-8 text"),
        (b"[" * 100_000, 1, 1, "cannot be read"),
    ],
)
def test_a_json_file_that_is_not_whole_is_reported(
    tmp_path: Path, content: bytes, line: int, column: int, reason: str
) -> None:
    file = tmp_path / "f.json"
    file.write_bytes(content)
    found = bad_json(file)
    assert found is not None
    assert (found.line, found.column) == (line, column)
    assert found.reason.startswith(reason)


def test_a_json_file_that_is_whole_is_not_reported(tmp_path: Path) -> None:
    assert bad_json(write(tmp_path / "f.json", '{"a": [1]}')) is None
