"""Checkpoints of a run on disk: what was cut off is not taken for whole, and the library is shown what is."""

from __future__ import annotations

from pathlib import Path

import pytest

from nemotron.backends.megatron import iterations

FILES = (".metadata", "train_state.pt", "run_config.yaml")


def checkpoint(folder: Path, number: int, files: tuple[str, ...] = FILES) -> Path:
    iteration = folder / f"iter_{number:07d}"
    iteration.mkdir(parents=True)
    for name in files:
        (iteration / name).write_text(f"{number}", encoding="utf-8")
    return iteration


def tracked(folder: Path) -> tuple[str, str]:
    names = ("latest_train_state.pt", "latest_checkpointed_iteration.txt")
    first, second = ((folder / name).read_text(encoding="utf-8") for name in names)
    return first, second


def test_the_newest_whole_one_is_found_by_its_number(tmp_path: Path) -> None:
    for number in (8, 16, 9):
        checkpoint(tmp_path, number)
    checkpoint(tmp_path, 24, FILES[:1])
    newest = iterations.newest_whole(tmp_path)
    assert newest is not None
    assert iterations.number_of(newest) == 16


@pytest.mark.parametrize("kept", range(len(FILES)))
def test_what_a_killed_run_left_is_removed_and_the_trackers_set_back(tmp_path: Path, kept: int) -> None:
    checkpoint(tmp_path, 8)
    cut_off = checkpoint(tmp_path, 16, FILES[:kept])
    for name in ("latest_train_state.pt", "latest_checkpointed_iteration.txt"):
        (tmp_path / name).write_text("16", encoding="utf-8")
    iterations.tidy(tmp_path)
    assert not cut_off.exists()
    assert tracked(tmp_path) == ("8", "8")


def test_without_a_whole_one_the_run_begins_anew(tmp_path: Path) -> None:
    checkpoint(tmp_path, 8, FILES[:2])
    (tmp_path / "latest_train_state.pt").write_text("8", encoding="utf-8")
    iterations.tidy(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_shows_one_checkpoint_alone(tmp_path: Path) -> None:
    older, _ = checkpoint(tmp_path / "run", 8), checkpoint(tmp_path / "run", 16)
    shown = iterations.point_at(tmp_path / "shown", older)
    assert iterations.point_at(shown, older) == shown
    assert tracked(shown) == ("8", "8")
    assert [path.resolve() for path in iterations.all_in(shown)] == [older]


def test_latest_follows_the_newest(tmp_path: Path) -> None:
    for number in (8, 16):
        link = iterations.link_latest(tmp_path, checkpoint(tmp_path, number))
    assert (link.name, link.resolve().name) == ("LATEST", "iter_0000016")
