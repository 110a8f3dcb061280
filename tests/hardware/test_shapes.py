"""Model shapes: from a config.json, and from the shipped table."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from nemotron.catalog.catalog import default_catalog
from nemotron.hardware.layout import Layout
from nemotron.hardware.layout_rules import violations
from nemotron.hardware.shapes import TABLE, ModelShape, from_hf_config, known_shapes, shape_of

SHAPES: dict[str, dict[str, Any]] = tomllib.loads(TABLE.read_text(encoding="utf-8"))["shapes"]


def test_a_folder_states_its_shape(tmp_path: Path) -> None:
    config = {"num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 4, "intermediate_size": 96}
    (tmp_path / "config.json").write_text(json.dumps({**config, "vocab_size": 512}), encoding="utf-8")
    shape = shape_of(str(tmp_path))
    assert shape == ModelShape(layers=2, hidden=64, heads=4, kv_heads=4, ffn=96, vocab=512)


@pytest.mark.parametrize(
    ("dtype", "size", "parameters"),
    [("bfloat16", 4000, 2000), ("float32", 4000, 1000), ("bfloat16", 0, None)],
)
def test_a_folder_s_weights_tell_how_many_parameters_there_are(
    tmp_path: Path, dtype: str, size: int, parameters: int | None
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"torch_dtype": dtype}), encoding="utf-8")
    for part in range(2):
        (tmp_path / f"model-{part}.safetensors").write_bytes(b"\0" * (size // 2))
    shape = shape_of(str(tmp_path))
    assert shape is not None
    assert shape.parameters == parameters


def test_a_torn_config_states_nothing(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"num_hidden_layers": 2', encoding="utf-8")
    assert shape_of(str(tmp_path)) is None


@pytest.mark.parametrize("text", ["[]", "null", "3"])
def test_a_config_that_is_no_table_states_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    assert shape_of(str(tmp_path)) is None


def test_a_mixture_states_its_experts() -> None:
    config = {"num_hidden_layers": 2, "num_experts": 8, "moe_intermediate_size": 32, "intermediate_size": 128}
    shape = from_hf_config(config)
    assert (shape.experts, shape.moe_ffn, shape.ffn) == (8, 32, 128)


def test_mixtral_states_one_width_and_means_that_of_its_experts() -> None:
    shape = from_hf_config({"num_hidden_layers": 2, "num_local_experts": 8, "intermediate_size": 14336})
    assert (shape.moe_ffn, shape.ffn) == (14336, None)


def test_groups_are_mambas_only_beside_mamba_heads() -> None:
    hybrid = {"num_hidden_layers": 4, "mamba_num_heads": 64, "n_groups": 8}
    assert from_hf_config(hybrid).mamba_groups == 8
    assert from_hf_config({"num_hidden_layers": 4, "n_groups": 8}).mamba_groups is None


def test_a_multimodal_model_states_that_of_its_text_part() -> None:
    shape = from_hf_config({"text_config": {"num_hidden_layers": 7, "num_attention_heads": 2}})
    assert (shape.layers, shape.heads) == (7, 2)


def test_names_and_aliases_are_found_in_any_case() -> None:
    assert shape_of("qwen/qwen3-8b") == shape_of("Qwen/Qwen3-8B")
    assert shape_of("nobody/knows-it") is None
    aliases = [(name, alias) for name, table in SHAPES.items() for alias in table.get("aliases", ())]
    assert aliases
    assert all(shape_of(alias) == shape_of(name) for name, alias in aliases)


@pytest.mark.parametrize("name", SHAPES)
def test_the_table_is_whole_and_names_its_source(name: str) -> None:
    table = SHAPES[name]
    assert table["source"].strip()
    # Of a hybrid not every size is published; a dense model's all are.
    is_dense = "experts" not in table and "mamba_heads" not in table
    wanted = ("layers", "hidden", *(("heads", "kv_heads", "vocab", "ffn") if is_dense else ()))
    assert [size for size in wanted if table.get(size, 0) <= 0] == []
    assert "ffn" in table or "moe_ffn" in table
    assert table.get("heads", 0) % table.get("kv_heads", 1) == 0
    assert violations("megatron_core", Layout(world=1), known_shapes()[name.lower()]) == []


@pytest.mark.parametrize("name", [name for name, table in SHAPES.items() if "experts" in table])
def test_a_mixture_of_the_table_is_described(name: str) -> None:
    table = SHAPES[name]
    assert table["experts"] > table["experts_per_token"] > 0
    assert table["moe_ffn"] > 0
    assert table["active_parameters"] < table["parameters"]


@pytest.mark.parametrize(
    "name", [name for name, table in SHAPES.items() if "experts" not in table and "mamba_heads" not in table]
)
def test_the_parameters_of_a_dense_model_follow_from_its_shape(name: str) -> None:
    table = SHAPES[name]
    width = table["heads"] * table.get("head_dim", table["hidden"] // table["heads"])
    kv_width = width // table["heads"] * table["kv_heads"]
    attention = table["hidden"] * (2 * width + 2 * kv_width)
    # Gate, up and down; norms and biases are left out.
    a_layer = attention + 3 * table["hidden"] * table["ffn"]
    embeddings = table["vocab"] * table["hidden"] * (1 if table.get("tied_embeddings") else 2)
    assert table["parameters"] == pytest.approx(table["layers"] * a_layer + embeddings, rel=0.02)


def test_every_model_that_a_trainer_lists_has_a_shape() -> None:
    steps, _ = default_catalog().steps()
    trainers = [step.manifest for step in steps if step.manifest.parallelism is not None]
    unknown = {m.name for manifest in trainers for m in manifest.models if shape_of(m.name) is None}
    assert unknown == set()
