"""A training that keeps more on its GPUs than they have is told before it starts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from at_hand import CATALOG
from small import the

from nemotron.checking.memory_rules import gpu_memory_gib, kept_by, memory_has_room
from nemotron.hardware import probe
from nemotron.hardware.probe import Gpu
from nemotron.planning.request import StepRequest
from nemotron.planning.resolve import Wish, resolve
from nemotron.profiles.profile import Profile

AUTOMODEL = {"model.pretrained_model_name_or_path": "Qwen/Qwen3-8B"}
MEGATRON = {"hf_model_path": "Qwen/Qwen3-8B", "model.tensor_model_parallel_size": 1}


@pytest.fixture(autouse=True)
def no_gpu_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "gpus", tuple)


def request(step: str, gpus: int, gpu: str | None, **settings: Any) -> StepRequest:
    made = resolve(Wish(step, "default", [], gpus), CATALOG, bound=settings)
    return replace(made, gpu=gpu)


@pytest.mark.parametrize(
    ("step", "gpus", "gpu", "settings", "ending"),
    [
        ("sft/automodel", 1, "h100", AUTOMODEL, "122 of the 80 GiB of each GPU: they do not fit"),
        ("sft/automodel", 8, "h100", AUTOMODEL, None),
        ("sft/automodel", 1, "h100", {**AUTOMODEL, "model.torch_dtype": "bfloat16"}, None),
        ("peft/automodel", 1, "l40s", AUTOMODEL, None),
        ("pretrain/automodel", 2, "l40s", AUTOMODEL, "61 of the 48 GiB of each GPU: they do not fit"),
        ("sft/megatron_bridge", 1, "h200", MEGATRON, "137 of the 141 GiB of each GPU: too little is left"),
        ("sft/megatron_bridge", 2, "h200", {**MEGATRON, "model.tensor_model_parallel_size": 2}, None),
        ("peft/megatron_bridge", 1, "rtx4090", MEGATRON, None),
        ("sft/automodel", 1, None, AUTOMODEL, None),
    ],
)
def test_what_is_kept_leaves_room(
    step: str, gpus: int, gpu: str | None, settings: dict[str, Any], ending: str | None
) -> None:
    found = [problem.summary for problem in memory_has_room(request(step, gpus, gpu, **settings))]
    assert [summary.partition(" take ")[2] for summary in found] == ([ending] if ending else [])


def test_the_warning_names_the_model_s_place_and_what_is_counted() -> None:
    problem = the(memory_has_room(request("sft/megatron_bridge", 1, "h100", **MEGATRON)), "NMT503")
    assert problem.severity == "warning"
    assert problem.detail == (
        "Qwen/Qwen3-8B has 8,190,735,360 parameters, "
        "each of 6 bytes on the GPU that has it and 12 bytes spread over all GPUs"
    )


def test_the_gpu_is_the_profile_s_then_the_file_s_then_the_one_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "gpus", lambda: (Gpu("large", 81_920), Gpu("small", 40_960)))
    here = request("sft/automodel", 2, None, **AUTOMODEL)
    assert gpu_memory_gib(here) == 40
    assert gpu_memory_gib(replace(here, gpu="h200")) == 141
    profile = Profile(name="cluster", file=tmp_path / "env.toml", executor="slurm", gpu="b200")
    assert gpu_memory_gib(replace(here, gpu="h200", profile=profile)) == 180
    assert gpu_memory_gib(replace(here, profile=profile.model_copy(update={"gpu": None}))) is None


def test_what_trains_nothing_keeps_nothing() -> None:
    assert kept_by(request("convert/hf_to_megatron", 1, "l4")) is None
    assert kept_by(request("eval/model_eval", 1, "l4", **{"model.path": "Qwen/Qwen3-8B"})) is None
    assert kept_by(request("sft/automodel", 0, "l4", **AUTOMODEL)) is None
