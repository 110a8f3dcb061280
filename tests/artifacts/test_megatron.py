"""Megatron's run folders and shards on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nemotron.artifacts.megatron import (
    is_complete,
    iteration_of,
    iterations,
    newest_complete,
    shards_left_over,
    shards_missing,
)


def a_run(folder: Path, *, whole: tuple[int, ...], torn: tuple[int, ...] = (), tracker: str | None) -> Path:
    for number in (*whole, *torn):
        (folder / f"iter_{number:07d}").mkdir(parents=True)
    for number in whole:
        (folder / f"iter_{number:07d}" / ".metadata").write_bytes(b"")
    if tracker is not None:
        (folder / "latest_checkpointed_iteration.txt").write_text(tracker, encoding="utf-8")
    return folder


def test_iterations_are_in_order_of_their_number(tmp_path: Path) -> None:
    run = a_run(tmp_path, whole=(900, 1000, 20), tracker="1000")
    (run / "iter_old").mkdir()
    (run / "iter_0000001").write_text("a file", encoding="utf-8")
    assert [iteration_of(folder) for folder in iterations(run)] == [20, 900, 1000]
    assert iteration_of(run / "iter_old") == -1


@pytest.mark.parametrize(
    ("torn", "tracker", "newest"),
    [((), "30", 30), ((40,), "30", 30), ((), "20", 20), ((), None, 30), ((), "release", 30)],
)
def test_the_newest_is_whole_and_counted_by_the_run(
    tmp_path: Path, torn: tuple[int, ...], tracker: str | None, newest: int
) -> None:
    run = a_run(tmp_path, whole=(10, 20, 30), torn=torn, tracker=tracker)
    found = newest_complete(run)
    assert found is not None
    assert (iteration_of(found), is_complete(found)) == (newest, True)


def test_a_run_without_a_whole_checkpoint_has_none(tmp_path: Path) -> None:
    assert newest_complete(a_run(tmp_path, whole=(), torn=(10,), tracker="10")) is None


def a_blend(folder: Path, blend: object, *shards: str) -> Path:
    (folder / "blend.json").write_text(json.dumps(blend), encoding="utf-8")
    for shard in shards:
        for suffix in (".bin", ".idx"):
            (folder / f"{shard}{suffix}").write_bytes(b"")
    return folder


def test_shards_that_belong_together(tmp_path: Path) -> None:
    folder = a_blend(tmp_path, {"train": ["3", "a", "0.5", "b"], "valid": ["v"]}, "a", "b", "v")
    assert (shards_missing(folder), shards_left_over(folder)) == ([], [])


def test_shards_that_do_not(tmp_path: Path) -> None:
    folder = a_blend(tmp_path, {"train": ["3", "a", "7", "b"]}, "a", "c")
    assert shards_missing(folder) == ["b.bin", "b.idx"]
    assert shards_left_over(folder) == ["c"]


@pytest.mark.parametrize("text", ["[", "[]", '{"train": "a"}', "3"])
def test_a_blend_that_lists_nothing_misses_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "blend.json").write_text(text, encoding="utf-8")
    assert shards_missing(tmp_path) == []
