"""Which files a data set's keys mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from nemotron.backends.job import JobError
from nemotron.backends.megatron.datasets import Splits, chat_splits, packed_splits


def touched(*files: Path) -> tuple[Path, ...]:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return files


def test_a_file_of_conversations_has_no_validation(tmp_path: Path) -> None:
    (file,) = touched(tmp_path / "chat.jsonl")
    assert chat_splits(str(file)) == Splits(file, None)


def test_a_folder_of_conversations_may_have_one(tmp_path: Path) -> None:
    train, held_out = touched(tmp_path / "training.jsonl", tmp_path / "validation.jsonl")
    assert chat_splits(str(tmp_path)) == Splits(train, held_out)
    held_out.unlink()
    assert chat_splits(str(tmp_path)) == Splits(train, None)


def test_packs_are_found_in_the_folder_that_packing_made(tmp_path: Path) -> None:
    train, held_out = touched(tmp_path / "train.npy", tmp_path / "valid.npy")
    touched(tmp_path / "train" / "shard_00000.parquet")
    assert packed_splits(tmp_path, None) == Splits(train, held_out)
    held_out.unlink()
    assert packed_splits(tmp_path, None) == Splits(train, None)


def test_packs_may_be_named_file_by_file(tmp_path: Path) -> None:
    train, held_out = touched(tmp_path / "a.npy", tmp_path / "b.npy")
    assert packed_splits(train, str(held_out)) == Splits(train, held_out)
    assert packed_splits(train, None) == Splits(train, None)


@pytest.mark.parametrize("name", ["", "nothing.jsonl", "nothing.npy"])
def test_what_is_not_there_is_told_with_what_makes_it(tmp_path: Path, name: str) -> None:
    for find in (lambda path: chat_splits(str(path)), lambda path: packed_splits(path, None)):
        with pytest.raises(JobError) as caught:
            find(tmp_path / name)
        assert caught.value.code == "NMT843"
        assert caught.value.fix
