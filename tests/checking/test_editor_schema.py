"""What editors are told of configs: the shipped ones are right by it, mistakes are not."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import jsonschema
import pytest
from small import SmallCatalog

from nemotron.catalog.catalog import default_catalog
from nemotron.checking.editor_schema import DRAFT, config_schema, to_text
from nemotron.config.new_config import MODELINE, SCHEMA
from nemotron.config.yaml_places import parse_yaml, read_yaml

CATALOG = default_catalog()
VALID = sorted((Path(__file__).parent / "valid_automodel").glob("*.yaml"))


@cache
def validator(step: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(config_schema(CATALOG.step(step)))


def keys_at_fault(step: str, text: str) -> list[str]:
    """Where a config is wrong, and the keys that it may not have."""
    found = []
    for problem in validator(step).iter_errors(parse_yaml(text, "mine.yaml").tree):
        inner = min(problem.context or [problem], key=lambda p: -len(p.absolute_path))
        found.append(".".join(str(part) for part in inner.absolute_path) or inner.message)
    return found


@pytest.mark.parametrize("step", list(CATALOG.folders))
def test_a_schema_is_one(step: str) -> None:
    jsonschema.Draft202012Validator.check_schema(config_schema(CATALOG.step(step)))


@pytest.mark.parametrize("step", list(CATALOG.folders))
def test_shipped_configs_are_valid(step: str) -> None:
    folder = CATALOG.step(step).config_folder
    for name in CATALOG.step(step).config_names():
        assert list(validator(step).iter_errors(read_yaml(folder / f"{name}.yaml").tree)) == [], name


@pytest.mark.parametrize("step", list(CATALOG.folders))
def test_shipped_configs_name_their_schema(step: str) -> None:
    folder = CATALOG.step(step).config_folder
    assert (folder / SCHEMA).is_file()
    for name in CATALOG.step(step).config_names():
        first, *_ = (folder / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
        assert first == MODELINE.format(SCHEMA), name


@pytest.mark.parametrize("file", VALID, ids=lambda file: file.stem)
def test_what_the_library_takes_is_valid(file: Path) -> None:
    found = validator("sft/automodel").iter_errors(read_yaml(file).tree)
    # The step saves a whole checkpoint at the end, or each time: the manifest's choices are fewer.
    assert [p.message for p in found if "save_consolidated" not in str(p.instance)] == []


@pytest.mark.parametrize(
    ("step", "text"),
    [
        ("sft/automodel", "optimizer: {lr: fast}"),
        ("sft/automodel", "optimizer: {lr: -1}"),
        ("sft/automodel", "step_scheduler: {max_steps: 0}"),
        ("sft/automodel", "step_scheduler: {max_steps: true}"),
        ("sft/automodel", "model: {torch_dtype: float33}"),
        ("sft/automodel", "run: {gpus: many}"),
        ("sft/megatron_bridge", "model: {tensor_model_parallel_size: two}"),
        ("sft/megatron_bridge", "checkpoint: {async_save: 3}"),
        ("data_prep/sft_packing", "algorithm: best_fit"),
        ("data_prep/sft_packing", "train_ratio: 1.5"),
        ("data_prep/sft_packing", "input_path: 7"),
        ("data_prep/pretrain_prep", "input_path: [{path: a.jsonl, weight: heavy}]"),
        ("eval/model_eval", "tasks: mmlu"),
        ("eval/model_eval", "endpoint: {type: chatty}"),
    ],
)
def test_a_wrong_value_is_found_at_its_key(step: str, text: str) -> None:
    (path,) = keys_at_fault(step, text)
    assert path
    assert path.split(".")[0] == text.split(":")[0]


@pytest.mark.parametrize(
    ("step", "text", "key"),
    [
        ("sft/automodel", "optimiser: {lr: 1}", "optimiser"),
        ("sft/automodel", "step_scheduler: {max_step: 3}", "max_step"),
        ("sft/automodel", "run: {gpu: 3}", "gpu"),
        ("sft/megatron_bridge", "train: {train_iter: 3}", "train_iter"),
        ("convert/merge_lora", "lora_checkpoints: adapter", "lora_checkpoints"),
    ],
)
def test_an_unknown_key_is_found(step: str, text: str, key: str) -> None:
    found = list(validator(step).iter_errors(parse_yaml(text, "mine.yaml").tree))
    messages = [inner.message for problem in found for inner in (problem.context or [problem])]
    assert any(f"'{key}'" in message for message in messages)


def test_keywords_of_the_shipped_target_are_known_and_another_target_has_its_own() -> None:
    target = "_target_: nemo_automodel.components._peft.lora.PeftConfig"
    assert keys_at_fault("peft/automodel", f"peft: {{{target}, dim: 8}}") == []
    assert keys_at_fault("peft/automodel", f"peft: {{{target}, dimm: 8}}") != []
    assert keys_at_fault("peft/automodel", "peft: {_target_: mine.Adapter, dimm: 8}") == []


@pytest.mark.parametrize("value", ["null", "???", "${seed}", "${oc.env:LR,1e-5}"])
def test_no_value_and_what_is_filled_in_later_stand_for_every_type(value: str) -> None:
    table = f"{{lr: '{value}'}}" if value != "null" else "{lr: null}"
    whole = "null" if value == "null" else f"'{value}'"
    text = (
        f"optimizer: {table}\nstep_scheduler: {whole}\nmodel: {{torch_dtype: {whole}}}\n"
        f"dataset: {{path_or_dataset_id: {whole}, truncation: {whole}}}\nrun: {{gpus: {whole}}}\n"
    )
    assert keys_at_fault("sft/automodel", text) == []


def test_keys_say_what_they_are_for_and_what_stands_there_by_default() -> None:
    schema = config_schema(CATALOG.step("sft/automodel"))
    rate = schema["properties"]["optimizer"]["anyOf"][0]["properties"]["lr"]
    assert (schema["$schema"], rate["default"]) == (DRAFT, 1e-5)
    assert rate["description"].startswith("The highest learning rate")
    data = schema["properties"]["dataset"]["anyOf"][0]["properties"]["path_or_dataset_id"]
    assert data["description"].startswith("Takes training_jsonl. ")


def test_what_a_manifest_leaves_out_is_said_by_the_default_config(small: SmallCatalog) -> None:
    text = (
        "seed: 7  # of the shuffling\nparts: [1, 2]  # Two of them.\nmodel:\n  name: ${seed}\n  size: ???\n"
    )
    small.step("train/one", default=text)
    keys = config_schema(small.catalog().step("train/one"))["properties"]
    assert (keys["seed"]["description"], keys["seed"]["default"]) == ("Of the shuffling.", 7)
    assert keys["parts"]["description"] == "Two of them."
    assert keys["model"]["anyOf"][0]["properties"] == {"name": {}, "size": {}}


def test_without_a_schema_of_the_library_the_shipped_configs_say_what_may_be_given(
    small: SmallCatalog,
) -> None:
    small.step("train/one", default="model: {name: big}\nparts: [{a: 1}]\n", tiny="defaults: default.yaml\n")
    schema = config_schema(small.catalog().step("train/one"))
    check = jsonschema.Draft202012Validator(schema).is_valid
    assert check({"model": {"name": "small"}, "parts": [{"a": 2}, {}], "defaults": ["default.yaml"]})
    assert not check({"model": {"size": 8}})
    assert not check({"parts": [{"b": 2}]})


def test_the_text_is_the_same_each_time() -> None:
    step = CATALOG.step("sft/megatron_bridge")
    assert to_text(config_schema(step)) == to_text(config_schema(step))
