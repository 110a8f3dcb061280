"""Paths that a pipeline file sets count from its folder, wherever it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from at_hand import CATALOG, plan
from small import chat, write

from nemotron.planning.pipeline import read_pipeline, requests
from nemotron.planning.pipeline_text import pipeline_text
from nemotron.planning.setting_paths import as_written, settings_from

PACK = """
    version: 1
    want: packed_parquet
    have:
      chat: {type: training_jsonl, path: chat.jsonl}
    steps:
      pack:
        step: data_prep/sft_packing
        config: own.yaml
        inputs: {training_jsonl: chat}
        set: {tokenizer.model: ../base, output_dir: out/packed}
"""


@pytest.fixture
def beside(at_hand: Path) -> Path:
    """A folder beside the model, with data, a config and a pipeline file of its own."""
    folder = at_hand / "beside"
    chat(folder / "chat.jsonl")
    default = CATALOG.step("data_prep/sft_packing").config_folder / "default.yaml"
    write(folder / "own.yaml", f"defaults: {default}\npack_size: 2048\n")
    write(folder / "pipeline.yaml", PACK)
    return folder


@pytest.mark.parametrize("where", [".", "beside", "/"])
def test_relative_paths_and_configs_count_from_the_file(
    beside: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(beside.parent / where)
    (pack,) = requests(read_pipeline(beside / "pipeline.yaml", CATALOG), CATALOG)
    document = pack.config.document
    assert Path(document.get("tokenizer.model")).resolve() == beside.parent / "base"
    assert document.get("output_dir") == str(beside / "out" / "packed")
    assert document.get("pack_size") == 2048


def test_the_copy_that_a_run_keeps_counts_from_where_the_file_was(beside: Path, tmp_path: Path) -> None:
    kept = write(tmp_path / "runs" / "pipeline.yaml", PACK)
    (pack,) = requests(read_pipeline(kept, CATALOG, beside), CATALOG)
    assert pack.config.document.get("output_dir") == str(beside / "out" / "packed")


@pytest.mark.parametrize(
    "value", ["Qwen/Qwen3-8B", "/data/model", "~/model", "${model.path}", "???", None, 7]
)
def test_what_is_no_relative_path_stays_as_it_is(at_hand: Path, value: Any) -> None:
    step = CATALOG.step("data_prep/sft_packing")
    settings = {"tokenizer.model": value, "algorithm": "base"}
    assert settings_from(at_hand, settings, step, CATALOG.types) == settings


def test_each_path_of_a_list_counts_from_the_file(at_hand: Path) -> None:
    step = CATALOG.step("data_prep/sft_packing")
    inputs = ["chat.jsonl", {"path": "chat.jsonl", "weight": 2.0}]
    found = settings_from(at_hand, {"input_path": inputs}, step, CATALOG.types)
    path = str(at_hand / "chat.jsonl")
    assert found == {"input_path": [path, {"path": path, "weight": 2.0}]}


def test_a_plan_writes_paths_below_its_folder_as_relative_ones(at_hand: Path) -> None:
    settings = {"sft_packing": {"output_dir": "out"}}
    made = plan("packed_parquet", "chat.jsonl", "base", settings=settings)
    text = pipeline_text(made, at_hand)
    assert "      tokenizer.model: ./base" in text
    assert "      output_dir: ./out  # your word" in text
    elsewhere = pipeline_text(made, at_hand / "plans")
    assert f"      output_dir: {at_hand / 'out'}  # your word" in elsewhere


def test_only_what_lies_below_the_folder_is_written_relative(tmp_path: Path) -> None:
    assert as_written(str(tmp_path / "a" / "b"), tmp_path) == "./a/b"
    assert as_written(str(tmp_path), tmp_path / "a") == str(tmp_path)
    assert as_written("${oc.env:HOME}/b", tmp_path, str(tmp_path / "b")) == "${oc.env:HOME}/b"
