"""Sharded weights: what a copy that was stopped, or files of two versions, leave behind is told."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from nemotron.artifacts.weights import INDEX, first_fault

ONE, TWO = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"


def shard(file: Path, *names: str) -> None:
    """A file with a tensor of four bytes for each name."""
    entries = {
        name: {"dtype": "F32", "shape": [1], "data_offsets": [4 * number, 4 * number + 4]}
        for number, name in enumerate(names)
    }
    header = json.dumps({"__metadata__": {"format": "pt"}, **entries}).encode()
    file.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4 * len(names)))


def index(folder: Path, **held: str) -> None:
    (folder / INDEX).write_text(json.dumps({"weight_map": held}), encoding="utf-8")


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    shard(tmp_path / ONE, "a", "b")
    shard(tmp_path / TWO, "c")
    index(tmp_path, a=ONE, b=ONE, c=TWO)
    return tmp_path


def cut(file: Path, size: int) -> None:
    file.write_bytes(file.read_bytes()[:size])


FAULTS: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "no shard": (lambda f: (f / TWO).unlink(), INDEX, f"names {TWO}, which is not there"),
    "cut in the header": (lambda f: cut(f / ONE, 40), ONE, "is damaged or was not copied to its end"),
    "cut in the weights": (lambda f: cut(f / ONE, -1), ONE, "is damaged or was not copied to its end"),
    "empty": (lambda f: cut(f / ONE, 0), ONE, "is damaged or was not copied to its end"),
    "no safetensors": (lambda f: (f / ONE).write_text("[1, 2, 3, 4]"), ONE, "is damaged"),
    "no entry": (lambda f: index(f, a=ONE, c=TWO), INDEX, f"does not name b, which {ONE} holds"),
    "one too many": (lambda f: index(f, a=ONE, b=ONE, c=TWO, d=TWO), TWO, f"does not hold d, which {INDEX}"),
    "no map": (lambda f: (f / INDEX).write_text('{"weight_map": "x"}'), INDEX, "names no weights"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_wrong_is_told_with_its_file(sharded: Path, name: str) -> None:
    break_it, file, says = FAULTS[name]
    break_it(sharded)
    fault = first_fault(sharded)
    assert fault is not None
    assert (fault[0], says in fault[1]) == (sharded / file, True)


def test_whole_weights_have_no_fault(sharded: Path) -> None:
    assert first_fault(sharded) is None
    (sharded / INDEX).unlink()
    assert first_fault(sharded) is None
