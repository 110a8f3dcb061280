"""Where training starts: its own checkpoint, else a Megatron one, else the HF weights, else nowhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nemotron.backends.job import JobError
from nemotron.backends.megatron import start
from nemotron.backends.megatron.start import Start

BASE = Path("/models/base")
WHOLE = (".metadata", "train_state.pt", "run_config.yaml")


def config(save: Path, **keys: Any) -> dict[str, Any]:
    return {"checkpoint": {"save": str(save), **keys.pop("checkpoint", {})}, **keys}


def leave_checkpoint(save: Path, number: int) -> None:
    folder = save / f"iter_{number:07d}"
    folder.mkdir(parents=True)
    for name in WHOLE:
        (folder / name).touch()


@pytest.fixture
def megatron(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Megatron checkpoint; that it is whole is for test_whole to prove, with the library."""
    folder = tmp_path / "iter_0000000"
    monkeypatch.setattr("nemotron.backends.megatron.whole.iteration", lambda named, key: Path(named))
    return folder


def test_the_hf_weights_are_taken_where_there_is_nothing_else(tmp_path: Path) -> None:
    chosen = start.choose(config(tmp_path), BASE)
    assert chosen == Start(f"starts from the weights of {BASE}", hf_weights=True)


def test_random_weights_are_taken_only_where_they_are_asked_for(tmp_path: Path) -> None:
    chosen = start.choose(config(tmp_path, load_hf_weights=False), BASE)
    assert "random weights" in chosen.words
    assert not chosen.hf_weights


def test_a_megatron_checkpoint_comes_before_the_hf_weights(tmp_path: Path, megatron: Path) -> None:
    keys = {"checkpoint": {"pretrained_checkpoint": str(megatron)}}
    chosen = start.choose(config(tmp_path, **keys), BASE)
    assert (chosen.pretrained, chosen.hf_weights, chosen.iteration) == (megatron, False, 0)


def test_its_own_checkpoint_comes_first(tmp_path: Path, megatron: Path) -> None:
    leave_checkpoint(tmp_path / "out", 40)
    keys = {"checkpoint": {"pretrained_checkpoint": str(megatron)}}
    chosen = start.choose(config(tmp_path / "out", **keys), BASE)
    assert (chosen.iteration, chosen.pretrained, chosen.hf_weights) == (40, megatron, False)
    assert "goes on from iteration 40" in chosen.words


def test_another_folder_to_go_on_from_is_refused(tmp_path: Path) -> None:
    own = start.choose(config(tmp_path, checkpoint={"load": f"{tmp_path}/."}), BASE)
    assert own.hf_weights
    with pytest.raises(JobError) as caught:
        start.choose(config(tmp_path, checkpoint={"load": str(tmp_path / "other")}), BASE)
    assert caught.value.code == "NMT849"
