"""Whether a model fits on the GPUs, by what the manifest lists."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small import SmallCatalog, the, write

from nemotron.checking.model_rules import model_fits_on_the_gpus
from nemotron.hardware.shapes import known_shapes

LARGE = "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16"
TUNE = f"""
    [[consumes]]
    name = "base"
    type = "checkpoint_hf"
    at = "model"

    [[produces]]
    type = "checkpoint_hf"
    at = "output"

    [[models]]
    name = "{LARGE}"
    aliases = ["nano3"]
    minimum_gpus = 8
    description = "A large one."

    [[models]]
    name = "Qwen/Qwen3-0.6B"
    description = "A small one."
"""


@pytest.fixture
def tune(small: SmallCatalog, project: Path) -> SmallCatalog:
    small.step("tune/one", TUNE, head="gpus = 8", default=f"model: {LARGE}\noutput: null\n")
    return small


def told(tune: SmallCatalog, *overrides: str, gpus: int | None) -> list[str]:
    return [d.summary for d in model_fits_on_the_gpus(tune.request("tune/one", *overrides, gpus=gpus))]


def test_too_few_gpus_are_a_warning_with_the_model_s_place_and_a_fix(tune: SmallCatalog) -> None:
    problem = the(tune.check("tune/one", gpus=4), "NMT502")
    assert problem.severity == "warning"
    assert problem.summary == f"{LARGE} takes at least 8 GPUs in tune/one, and gets 4"
    assert problem.where is not None
    assert (problem.where.file, problem.where.line) == (
        str(tune.root / "tune" / "one" / "config" / "default.yaml"),
        1,
    )
    assert problem.fix == "--gpus 8, or a smaller model: model=MODEL"


@pytest.mark.parametrize(
    ("model", "gpus", "count"),
    [
        (LARGE, 8, 0),
        (LARGE, None, 0),
        (LARGE.upper(), 4, 1),
        (LARGE, 0, 1),
        ("Qwen/Qwen3-0.6B", 1, 0),
        ("Qwen/Qwen3-0.6B", 0, 1),
        ("org/unlisted", 1, 0),
        ("Qwen/Qwen3-32B", 1, 0),
        ("null", 1, 0),
    ],
)
def test_only_a_listed_model_on_fewer_gpus_is_told(
    tune: SmallCatalog, model: str, gpus: int | None, count: int
) -> None:
    assert len(told(tune, f"model={model}", gpus=gpus)) == count


def test_what_trains_nothing_may_run_without_a_gpu(small: SmallCatalog, project: Path) -> None:
    small.step("turn/one", TUNE, head="gpus = 1", default=f"model: {LARGE}\noutput: null\n")
    found = [list(model_fits_on_the_gpus(small.request("turn/one", gpus=gpus))) for gpus in (0, 1)]
    assert [len(each) for each in found] == [0, 1]


def test_a_copy_on_disk_is_known_by_its_shape(tune: SmallCatalog, project: Path) -> None:
    shape = known_shapes()[LARGE.lower()]
    config = {
        "num_hidden_layers": shape.layers,
        "hidden_size": shape.hidden,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "n_routed_experts": shape.experts,
        "mamba_num_heads": shape.mamba_heads,
    }
    write(project / "copy" / "config.json", json.dumps(config))
    assert told(tune, f"model={project / 'copy'}", gpus=4)[0].startswith(LARGE)
    write(project / "copy" / "config.json", json.dumps({**config, "num_hidden_layers": 2}))
    assert told(tune, f"model={project / 'copy'}", gpus=4) == []
    write(project / "copy" / "config.json", "{}")
    assert told(tune, f"model={project / 'copy'}", gpus=4) == []
