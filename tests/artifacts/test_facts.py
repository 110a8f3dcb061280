"""Facts: read off values and checkpoints, recorded ones over them, names of a hub for themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from small import TEMPLATE, checkpoint, record, sha256, write

from nemotron.artifacts.digest import content_digest, model_digest, tokenizer_digest
from nemotron.artifacts.facts import (
    fact_from_value,
    facts_on_disk,
    hub_identity,
    input_digest,
    is_hub_name,
    is_unknown,
)
from nemotron.catalog.types import FactType


def kind(name: str) -> FactType:
    return FactType.model_validate({"kind": name, "description": ""})


NAMES = [
    ("Qwen/Qwen3-8B", True),
    ("org/model.v2_x-1", True),
    ("model", False),
    ("a/b/c", False),
    ("/abs/path", False),
    ("./a", False),
    ("a/.hidden", False),
    ("data/train.jsonl", False),
    ("out/model.SafeTensors", False),
    ("here/there", False),
    ("s3://a/b", False),
    ("a/" + "b" * 5000, True),
    ("", False),
]


@pytest.mark.parametrize(("value", "expected"), NAMES)
def test_a_name_of_a_hub_is_no_path_of_this_machine(project: Path, value: str, expected: bool) -> None:
    (project / "here").mkdir()
    assert is_hub_name(value) is expected


def test_a_name_of_a_hub_stands_for_itself_with_its_revision() -> None:
    assert hub_identity("a/b") == "hub:a/b@main"
    assert hub_identity("a/b", "v2") == "hub:a/b@v2"
    assert is_unknown(hub_identity("a/b"))
    assert not is_unknown("9f86d0")
    assert not is_unknown(4096)


VALUES = [
    ("integer", 4096, 4096),
    ("integer", "4096", None),
    ("integer", True, None),
    ("integer", 1.5, None),
    ("integer", None, None),
    ("name", "bfloat16", "bfloat16"),
    ("name", 5, "5"),
    ("name", "???", None),
    ("tokenizer", "Qwen/Qwen3-8B", "hub:Qwen/Qwen3-8B@main"),
    ("tokenizer", "no-such-folder", None),
    ("tokenizer", None, None),
    ("model", "gone/" * 2000, None),
    ("chat_template", "{{ x }}  \n", sha256("{{ x }}")),
    ("chat_template", "{{ x }}" * 1000, sha256("{{ x }}" * 1000)),
    ("chat_template", "t.jinja", sha256("from a file")),
]


@pytest.mark.parametrize(("name", "value", "fact"), VALUES)
def test_a_config_value_states_a_fact(project: Path, name: str, value: Any, fact: Any) -> None:
    write(project / "t.jinja", "from a file\n")
    assert fact_from_value(kind(name), value) == fact


def test_a_folder_states_the_fact_of_its_files(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "m")
    assert fact_from_value(kind("tokenizer"), str(folder)) == tokenizer_digest(folder)
    assert fact_from_value(kind("model"), str(folder)) == model_digest(folder)
    assert fact_from_value(kind("chat_template"), str(folder)) == sha256(TEMPLATE)
    assert fact_from_value(kind("model"), str(tmp_path)) is None


def test_a_checkpoints_facts_are_read_off_its_files(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "m", torch_dtype="bfloat16", vocab_size=5)
    assert facts_on_disk(folder) == {
        "model": model_digest(folder),
        "tokenizer": tokenizer_digest(folder),
        "chat_template": sha256(TEMPLATE),
        "vocab_size": 5,
        "max_positions": 64,
        "dtype": "bfloat16",
        "format": "safetensors",
    }


def test_a_checkpoint_states_no_fact_that_is_none(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "m", template=None, vocab_size=[1], max_position_embeddings=None)
    assert set(facts_on_disk(folder)) == {"model", "tokenizer", "format"}
    assert facts_on_disk(tmp_path / "m" / "config.json") == {}


@pytest.mark.parametrize("torn", ["config.json", "tokenizer.json", "tokenizer_config.json"])
def test_a_torn_file_states_nothing(tmp_path: Path, torn: str) -> None:
    folder = checkpoint(tmp_path / "m")
    whole = facts_on_disk(folder)
    write(folder / torn, '{"vocab_size": 5')
    assert facts_on_disk(folder).items() < whole.items()


def test_an_adapters_base_is_a_folder_or_a_name(tmp_path: Path) -> None:
    base = checkpoint(tmp_path / "base")
    adapter = tmp_path / "adapter"
    stated = [
        ({"base_model_name_or_path": str(base)}, model_digest(base)),
        ({"base_model_name_or_path": "org/base", "revision": "v1"}, "hub:org/base@v1"),
        ({"base_model_name_or_path": "org/base"}, "hub:org/base@main"),
        ({"base_model_name_or_path": "/gone"}, None),
        ({"base_model_name_or_path": ""}, None),
        ({}, None),
    ]
    for content, fact in stated:
        write(adapter / "adapter_config.json", json.dumps(content))
        assert facts_on_disk(adapter).get("base_model") == fact


def test_recorded_facts_go_over_those_of_the_files(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "m")
    record(folder, "checkpoint_hf", max_positions=128, iteration=7)
    facts = facts_on_disk(folder)
    assert (facts["max_positions"], facts["iteration"], facts["vocab_size"]) == (128, 7, 16)


def test_a_record_that_the_files_do_not_fit_says_nothing(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "m")
    record(folder, "checkpoint_hf", max_positions=128)
    (folder / "model.safetensors").write_bytes(b"other weights")
    assert facts_on_disk(folder)["max_positions"] == 64


def test_a_file_of_an_artifact_has_the_facts_of_the_whole(tmp_path: Path) -> None:
    folder = write(tmp_path / "data" / "train.jsonl", "{}").parent
    record(folder, "packs", pack_size=512)
    assert facts_on_disk(folder / "train.jsonl") == {"pack_size": 512}
    assert facts_on_disk(write(folder / "stray.jsonl", "{}")) == {}


def test_an_inputs_digest_is_its_records_while_the_files_fit(tmp_path: Path) -> None:
    folder = write(tmp_path / "a" / "x", "1").parent
    file = record(folder, "packs")
    table = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**table, "digest": "recorded"}), encoding="utf-8")
    assert input_digest(folder) == "recorded"
    write(folder / "x", "22")
    assert input_digest(folder) == content_digest(folder)


def test_two_files_of_one_artifact_are_two_inputs_that_change_with_the_whole(tmp_path: Path) -> None:
    folder = write(tmp_path / "a" / "train.jsonl", "1").parent
    write(folder / "valid.jsonl", "2")
    record(folder, "packs")
    train, valid = input_digest(folder / "train.jsonl"), input_digest(folder / "valid.jsonl")
    assert len({train, valid, input_digest(folder)}) == 3
    write(folder / "valid.jsonl", "3")
    record(folder, "packs")
    assert input_digest(folder / "train.jsonl") != train


def test_a_single_file_has_its_own_record(tmp_path: Path) -> None:
    file = write(tmp_path / "blend.json", "{}")
    written = record(file, "scores", record="messages")
    assert written == tmp_path / "blend.json.artifact.json"
    assert facts_on_disk(file) == {"record": "messages"}
    assert input_digest(file) == content_digest(file)
