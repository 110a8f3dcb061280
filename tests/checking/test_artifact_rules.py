"""What lies at an input, against what its port takes: with the shipped types, on files made on the spot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small import SmallCatalog, chat, checkpoint, jsonl, position, stands, the, write

from nemotron.catalog.catalog import default_catalog
from nemotron.checking.artifact_rules import (
    folders_are_folders,
    looks_like_the_type,
    megatron_checkpoints_are_iterations,
    shards_belong_together,
)
from nemotron.diagnostic import Diagnostic

PORTS = "".join(
    f"""
    [[consumes]]
    type = "{kind}"
    at = "{key}"
    required = false
    """
    for kind, key in (
        ("training_jsonl", "chat"),
        ("packed_parquet", "packs"),
        ("checkpoint_hf", "base"),
        ("checkpoint_megatron", "megatron"),
        ("binidx", "shards"),
        ("preference_jsonl", "pairs"),
    )
)
CONFIG = "chat: null\npacks: null\nbase: null\nmegatron: null\nshards: null\npairs: null\n"


@pytest.fixture
def trainer(small: SmallCatalog, project: Path) -> SmallCatalog:
    shipped = default_catalog().roots[0] / "types.toml"
    (small.root / "types.toml").write_text(shipped.read_text(encoding="utf-8"), encoding="utf-8")
    small.step("train/one", PORTS, default=CONFIG)
    return small


def found(catalog: SmallCatalog, *overrides: str, config: str = "default") -> list[Diagnostic]:
    request = catalog.request("train/one", *overrides, config=config)
    rules = (
        looks_like_the_type,
        folders_are_folders,
        megatron_checkpoints_are_iterations,
        shards_belong_together,
    )
    return [problem for rule in rules for problem in rule(request)]


def packs(folder: Path) -> Path:
    footer = b"input_ids loss_mask seq_start_id"
    folder.mkdir()
    content = b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1"
    (folder / "shard.parquet").write_bytes(content)
    return folder


def test_what_fits_is_no_problem(trainer: SmallCatalog, project: Path) -> None:
    chat(project / "chat.jsonl")
    packs(project / "packs")
    checkpoint(project / "base")
    assert found(trainer, "chat=chat.jsonl", "packs=packs", "base=base") == []


def test_packs_given_for_conversations(trainer: SmallCatalog, project: Path) -> None:
    packs(project / "packs")
    file = write(project / "own.yaml", "packs: null\nchat: packs\n")
    problem = the(found(trainer, config=str(file)), "NMT302")
    assert problem.summary == "packs looks like packed_parquet, and 'training_jsonl' takes training_jsonl"
    assert stands(problem.where) == position(file, "chat")
    assert problem.fix == "give training_jsonl: chat=PATH"


def test_conversations_given_for_packs(trainer: SmallCatalog, project: Path) -> None:
    chat(project / "chat.jsonl")
    problem = the(found(trainer, "packs=chat.jsonl"), "NMT302")
    assert "looks like raw_jsonl or training_jsonl" in problem.summary


def test_a_checkpoint_that_a_step_converts(trainer: SmallCatalog, project: Path) -> None:
    write(project / "adapter" / "adapter_config.json", "{}")
    write(project / "adapter" / "adapter_model.safetensors", "x")
    problem = the(found(trainer, "base=adapter"), "NMT302")
    assert problem.fix == "convert it first: nemotron steps run convert/merge_lora"


def test_preferences_given_for_conversations(trainer: SmallCatalog, project: Path) -> None:
    jsonl(project / "pairs.jsonl", {"prompt": "p", "chosen": "a", "rejected": "b"})
    assert found(trainer, "pairs=pairs.jsonl") == []
    assert the(found(trainer, "chat=pairs.jsonl"), "NMT302").code == "NMT302"


def test_a_file_of_a_checkpoint_given_for_its_folder(trainer: SmallCatalog, project: Path) -> None:
    checkpoint(project / "base")
    problem = the(found(trainer, "base=base/config.json"), "NMT217")
    assert problem.fix == "base=base"
    assert found(trainer, problem.fix) == []


def a_run(folder: Path, *whole: int, torn: tuple[int, ...] = ()) -> Path:
    for number in whole:
        write(folder / f"iter_{number:07d}" / ".metadata", "")
    for number in torn:
        write(folder / f"iter_{number:07d}" / "common.pt", "")
    return folder


def test_a_run_given_for_one_of_its_checkpoints(trainer: SmallCatalog, project: Path) -> None:
    a_run(project / "run", 10, 20, torn=(30,))
    file = write(project / "own.yaml", "base: null\nmegatron: run\n")
    problem = the(found(trainer, config=str(file)), "NMT306")
    assert stands(problem.where) == position(file, "megatron")
    assert problem.fix == "megatron=run/iter_0000020"
    assert found(trainer, problem.fix) == []


def test_a_run_without_a_whole_checkpoint(trainer: SmallCatalog, project: Path) -> None:
    a_run(project / "run", torn=(30,))
    assert "written to its end" in the(found(trainer, "megatron=run"), "NMT306").fix


def test_a_checkpoint_that_was_cut_off(trainer: SmallCatalog, project: Path) -> None:
    a_run(project / "run", 10, torn=(30,))
    problem = the(found(trainer, "megatron=run/iter_0000030"), "NMT308")
    assert problem.fix == "megatron=run/iter_0000010"
    assert found(trainer, problem.fix) == []


def shards(folder: Path, blend: dict[str, list[str]], *names: str) -> Path:
    write(folder / "blend.json", json.dumps(blend))
    for name in names:
        for suffix in (".bin", ".idx"):
            write(folder / f"{name}{suffix}", "x")
    return folder


@pytest.mark.parametrize("given", ["shards", "shards/blend.json"])
@pytest.mark.parametrize(
    ("names", "words"),
    [(("a",), "names b.bin, which is not there (and 1 more)"), (("a", "b", "old"), "does not name old")],
)
def test_shards_of_another_run(
    trainer: SmallCatalog, project: Path, given: str, names: tuple[str, ...], words: str
) -> None:
    shards(project / "shards", {"train": ["1", "a", "2", "b"]}, *names)
    problem = the(found(trainer, f"shards={given}"), "NMT307")
    assert words in problem.summary
    assert stands(problem.where) == (str(project / "shards" / "blend.json"), 1, 1)


def test_shards_of_one_run(trainer: SmallCatalog, project: Path) -> None:
    shards(project / "shards", {"train": ["1", "a"], "valid": ["v"]}, "a", "v")
    assert found(trainer, "shards=shards") == []


def test_weights_that_are_not_all_there(trainer: SmallCatalog, project: Path) -> None:
    index = checkpoint(project / "hf") / "model.safetensors.index.json"
    write(index, '{"weight_map": {"a": "model-00001-of-00002.safetensors"}}')
    problem = the(trainer.check("train/one", "base=hf"), "NMT345")
    assert "model-00001-of-00002.safetensors, which is not there" in problem.summary
    assert problem.where is not None
    assert problem.where.argument == "base=hf"
