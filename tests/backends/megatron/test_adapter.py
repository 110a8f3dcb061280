"""An adapter that would train nothing is refused before the first step."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nemotron.backends.job import Job, JobError
from nemotron.backends.megatron import adapter, world

QKV = "module.decoder.layers.0.self_attention.linear_qkv"


def part(*names: str) -> Any:
    return SimpleNamespace(named_parameters=lambda: [(name, None) for name in names])


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The layers with an adapter in the other processes."""
    names: set[str] = set()
    monkeypatch.setattr(world, "gathered", lambda own: own | names)
    return names


def test_the_layers_with_an_adapter_are_told(
    others: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    others.add("linear_fc1")
    model = [part(f"{QKV}.to_wrap.weight", f"{QKV}.adapter.linear_in.weight", "module.embedding.weight")]
    adapter.require_layers(Job(tmp_path, {}), model, ["linear_qkv", "linear_fc1"])
    assert capsys.readouterr().out == "adapters beside linear_fc1, linear_qkv\n"


def test_layers_of_another_stage_are_enough(others: set[str], tmp_path: Path) -> None:
    others.add("linear_fc1")
    adapter.require_layers(Job(tmp_path, {}), [part(f"{QKV}.weight")], ["linear_fc1"])


def test_an_adapter_beside_no_layer_is_refused(others: set[str], tmp_path: Path) -> None:
    with pytest.raises(JobError, match="no layer of the model is called q_proj or v_proj") as caught:
        adapter.require_layers(Job(tmp_path, {}), [part(f"{QKV}.weight")], ["q_proj", "v_proj"])
    assert caught.value.code == "NMT850"
