"""Which types something on disk may be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nemotron.artifacts.detect import candidates, parquet_columns
from nemotron.catalog.catalog import default_catalog

TYPES = default_catalog().types
MESSAGES = {"messages": [{"role": "user", "content": "hi"}]}


def jsonl(file: Path, *records: Any) -> Path:
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return file


def parquet(file: Path, *columns: str) -> Path:
    """What counts of a Parquet file: the marks at both ends and a footer that names the columns."""
    footer = b"\x15\x02" + b"".join(bytes([0x18, len(name)]) + name.encode() for name in columns)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"PAR1" + b"data" + footer + len(footer).to_bytes(4, "little") + b"PAR1")
    return file


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([{"text": "a"}, {"text": "b"}], ["raw_jsonl"]),
        ([MESSAGES], ["raw_jsonl", "training_jsonl"]),
        ([{"prompt": "p", "chosen": "a", "rejected": "b"}], ["preference_jsonl", "prompt_jsonl"]),
        ([{"prompt": "p", "answer": "4"}], ["prompt_jsonl"]),
        ([{"something": 1}], []),
        ([{"text": "a"}, {"other": 1}], []),
        ([], []),
        (["a string"], []),
    ],
)
def test_jsonl_is_told_by_its_keys(tmp_path: Path, records: list[Any], expected: list[str]) -> None:
    found = candidates(jsonl(tmp_path / "a.jsonl", *records), TYPES)
    assert found == expected
    assert candidates(tmp_path, TYPES) == expected  # a folder of such files


def test_only_the_first_records_count(tmp_path: Path) -> None:
    file = jsonl(tmp_path / "a.jsonl", *[{"text": "a"}] * 20, {"other": 1})
    assert candidates(file, TYPES) == ["raw_jsonl"]


def test_a_line_that_is_not_json_is_nothing(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"text": "a"}\n{', encoding="utf-8")
    assert candidates(file, TYPES) == []


def test_parquet_is_told_by_its_columns(tmp_path: Path) -> None:
    packs = parquet(tmp_path / "packs" / "a.parquet", "input_ids", "loss_mask", "seq_start_id")
    assert candidates(packs.parent, TYPES) == ["packed_parquet"]
    text = parquet(tmp_path / "text" / "a.parquet", "text")
    assert candidates(text, TYPES) == []


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"x" * 20, b"PAR1\xff\xff\xff\xff\x7fPAR1"])
def test_a_file_that_is_no_parquet_has_no_columns(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a.parquet"
    file.write_bytes(content)
    assert parquet_columns(file) == b""


def test_checkpoints_are_told_by_their_files(tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_text("{}", encoding="utf-8")
    assert candidates(tmp_path, TYPES) == ["checkpoint_hf"]
    (tmp_path / "model.safetensors").unlink()
    assert candidates(tmp_path, TYPES) == []
