"""The layout that a request asks for."""

from __future__ import annotations

import json
from pathlib import Path

from small import SmallCatalog, write

from nemotron.hardware.layout import Layout
from nemotron.planning.parallel import layout_of, model_of, shape_for

MANIFEST = """
    [parallelism]
    rules = "megatron_core"
    fine_tuning = true
    model = "base"
    tensor = "tp"
    sequence_parallel = "sp"
    pipeline_layout = "stages"
    packed = "data"
"""


def test_sizes_and_flags_are_read_from_their_keys(small: SmallCatalog, project: Path) -> None:
    small.step("train/one", MANIFEST, default="base: null\ntp: 4\nsp: true\nstages: null\ndata: null\n")
    layout = layout_of(small.request("train/one", gpus=8, nodes=2))
    assert layout == Layout(8, 2, tensor=4, sequence_parallel=True, fine_tuning=True)


def test_what_is_no_size_is_left_to_others(small: SmallCatalog, project: Path) -> None:
    small.step("train/one", MANIFEST, default="base: null\ntp: many\nsp: 1\nstages: [1]\ndata: ???\n")
    layout = layout_of(small.request("train/one", gpus=0))
    assert layout == Layout(1, uneven_stages=True, packed=True, fine_tuning=True)


def test_every_node_has_a_process_also_without_gpus(small: SmallCatalog, project: Path) -> None:
    small.step("train/one", MANIFEST, default="base: null\ntp: 1\n")
    layout = layout_of(small.request("train/one", gpus=0, nodes=2))
    assert layout is not None
    assert (layout.world, layout.nodes) == (2, 2)


def test_a_step_without_a_layout_has_none(small: SmallCatalog, project: Path) -> None:
    small.step("prep/one", default="a: 1\n")
    request = small.request("prep/one")
    assert (layout_of(request), model_of(request), shape_for(request)) == (None, None, None)


def test_the_model_is_a_name_or_a_folder(small: SmallCatalog, project: Path) -> None:
    small.step("train/one", MANIFEST, default="base: ???\n")
    write(project / "model" / "config.json", json.dumps({"num_hidden_layers": 3}))
    assert model_of(small.request("train/one")) is None
    shape = shape_for(small.request("train/one", "base=model"))
    assert shape is not None
    assert shape.layers == 3
    assert shape_for(small.request("train/one", "base=Qwen/Qwen3-8B")) is not None
