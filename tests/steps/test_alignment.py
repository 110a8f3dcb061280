"""Real steps that are given artifacts which do not fit: code, place, and a fix that works."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from small import chat, checkpoint, codes, jsonl, position, record, stands, the, write

from nemotron.artifacts.digest import chat_template_digest, model_digest, tokenizer_digest
from nemotron.catalog.catalog import default_catalog
from nemotron.checking.check import check_step
from nemotron.diagnostic import Diagnostic, Severity
from nemotron.planning.resolve import Wish, resolve

CATALOG = default_catalog()
SHAPE: dict[str, Any] = {"num_hidden_layers": 8, "num_attention_heads": 16, "num_key_value_heads": 16}
SHAPE |= {"intermediate_size": 1024, "vocab_size": 1024, "max_position_embeddings": 8192}


def errors(step: str, *overrides: str, config: str = "default", gpus: int = 8) -> list[Diagnostic]:
    found = check_step(resolve(Wish(step, config, list(overrides), gpus), CATALOG))
    return [d for d in found if d.severity is Severity.ERROR]


@dataclass(frozen=True)
class Material:
    """A base model and packs that were made with its tokenizer and template."""

    base: Path
    packs: Path

    def repack(self, **facts: str | int) -> None:
        record(self.packs, "packed_parquet", "packed_parquet", **{**facts_of(self.base), **facts})


def facts_of(base: Path) -> dict[str, str | int]:
    tokenizer, template = tokenizer_digest(base), chat_template_digest(base)
    assert tokenizer is not None
    assert template is not None
    return {"tokenizer": tokenizer, "chat_template": template, "pack_size": 4096, "pad_multiple": 1}


@pytest.fixture
def material(project: Path) -> Material:
    base = checkpoint(project / "base", **SHAPE)
    write(project / "packs" / "train-00000.npy", "packs")
    material = Material(base, project / "packs")
    material.repack()
    return material


PACKED = ("hf_model_path=base", "dataset.packed_sequence_specs.packed_train_data_path=packs")


def test_packs_that_fit_are_no_problem(material: Material) -> None:
    assert errors("sft/megatron_bridge", *PACKED) == []


@pytest.mark.parametrize(
    "key", ["model.seq_length", "dataset.seq_length", "dataset.packed_sequence_specs.packed_sequence_size"]
)
def test_each_place_that_states_the_sequence_length_is_compared(
    material: Material, project: Path, key: str
) -> None:
    last = key.rpartition(".")[2]
    nested = "".join(f"{'  ' * i}{part}:\n" for i, part in enumerate(key.split(".")[:-1]))
    indent = "  " * key.count(".")
    default = default_catalog().step("sft/megatron_bridge").config_folder / "default.yaml"
    file = write(project / "own.yaml", f"defaults: {default}\n{nested}{indent}{last}: 2048\n")
    found = errors("sft/megatron_bridge", *PACKED, config=str(file))
    assert set(codes(found)) == {"NMT301"}
    assert position(file, last) in [stands(d.where) for d in found]
    fixes = [d.fix for d in found if stands(d.where) == position(file, last)]
    assert set(fixes) == {f"{key}=4096"}
    assert errors("sft/megatron_bridge", *PACKED, *fixes, config=str(file)) == []


def test_packs_of_another_size_are_named_at_every_key(material: Material) -> None:
    material.repack(pack_size=2048)
    found = errors("sft/megatron_bridge", *PACKED)
    assert set(codes(found)) == {"NMT301"}
    assert errors("sft/megatron_bridge", *PACKED, *(d.fix for d in found)) == []


def test_packs_padded_for_a_smaller_layout(material: Material) -> None:
    layout = ["model.tensor_model_parallel_size=4", "model.sequence_parallel=true"]
    problem = the(errors("sft/megatron_bridge", *PACKED, *layout), "NMT428")
    assert problem.fix == "pack again with pad_multiple=4"
    material.repack(pad_multiple=4)
    assert errors("sft/megatron_bridge", *PACKED, *layout) == []


def test_packs_of_another_tokenizer(material: Material) -> None:
    material.repack(tokenizer="0" * 64)
    problem = the(errors("sft/megatron_bridge", *PACKED), "NMT301")
    assert "the tokenizer of 'packed_parquet' differs" in problem.summary


def test_packs_of_another_chat_template(material: Material) -> None:
    material.repack(chat_template="0" * 64)
    problem = the(errors("sft/megatron_bridge", *PACKED), "NMT301")
    assert "the chat template of 'packed_parquet' differs" in problem.summary


def test_conversations_given_to_a_trainer_of_packs(material: Material, project: Path) -> None:
    chat(project / "chat.jsonl")
    argument = "dataset.packed_sequence_specs.packed_train_data_path=chat.jsonl"
    found = errors("sft/megatron_bridge", "hf_model_path=base", argument)
    assert "NMT302" in codes(found)
    problem = the(found, "NMT302")
    assert problem.where is not None
    assert problem.where.argument == argument


def test_packs_given_to_automodel(material: Material) -> None:
    arguments = ["model.pretrained_model_name_or_path=base", "dataset.path_or_dataset_id=packs"]
    problem = the(errors("sft/automodel", *arguments), "NMT302")
    assert "packs is packed_parquet, and 'training_jsonl' takes training_jsonl" in problem.summary


def test_an_adapter_of_another_base(material: Material, project: Path) -> None:
    checkpoint(project / "other", **SHAPE)
    write(project / "adapter" / "adapter_model.safetensors", "x")
    write(project / "adapter" / "adapter_config.json", '{"base_model_name_or_path": "base"}')
    fine = ["lora_checkpoint=adapter", "base_hf_path=base"]
    assert errors("convert/merge_lora", *fine, gpus=0) == []
    problem = the(errors("convert/merge_lora", fine[0], "base_hf_path=other", gpus=0), "NMT301")
    assert "base model" in problem.summary
    assert model_digest(project / "other") != model_digest(material.base)


def test_a_megatron_run_given_for_one_of_its_checkpoints(material: Material, project: Path) -> None:
    for number in (10, 20):
        write(project / "run" / f"iter_{number:07d}" / ".metadata", "")
    given = "checkpoint.pretrained_checkpoint=run"
    problem = the(errors("sft/megatron_bridge", *PACKED, given), "NMT306")
    assert problem.fix == "checkpoint.pretrained_checkpoint=run/iter_0000020"
    assert errors("sft/megatron_bridge", *PACKED, problem.fix) == []


def test_shards_and_a_blend_of_different_runs(material: Material, project: Path) -> None:
    write(project / "shards" / "blend.json", '{"train": ["1", "a"], "valid": ["v"], "test": []}')
    for name in ("a.bin", "a.idx", "v.bin", "v.idx"):
        write(project / "shards" / name, "x")
    arguments = ["dataset.paths=shards", "model.pretrained_model_name_or_path=base"]
    assert errors("pretrain/automodel", *arguments) == []
    (project / "shards" / "v.idx").unlink()
    problem = the(errors("pretrain/automodel", *arguments), "NMT307")
    assert stands(problem.where) == (str(project / "shards" / "blend.json"), 1, 1)


def test_shards_of_another_tokenizer(material: Material, project: Path) -> None:
    write(project / "shards" / "blend.json", '{"train": ["1", "a"], "valid": [], "test": []}')
    for name in ("a.bin", "a.idx"):
        write(project / "shards" / name, "x")
    record(project / "shards", "binidx", "binidx", tokenizer="0" * 64)
    arguments = ["dataset.paths=shards", "model.pretrained_model_name_or_path=base"]
    assert "NMT301" in codes(errors("pretrain/automodel", *arguments))


def test_a_base_without_a_chat_template(material: Material, project: Path) -> None:
    checkpoint(project / "plain", template=None, **SHAPE)
    chat(project / "chat.jsonl")
    arguments = ["dataset.path_or_dataset_id=chat.jsonl", "model.pretrained_model_name_or_path=plain"]
    assert codes(errors("sft/automodel", *arguments)) == ["NMT304"]
    given = "dataset.chat_template={{ messages }}"
    assert errors("sft/automodel", *arguments, given) == []


def test_a_sequence_longer_than_the_models_positions(material: Material, project: Path) -> None:
    chat(project / "chat.jsonl")
    arguments = ["dataset.path_or_dataset_id=chat.jsonl", "model.pretrained_model_name_or_path=base"]
    problem = the(errors("sft/automodel", *arguments, "dataset.seq_length=9000"), "NMT303")
    assert "8192" in problem.summary
    public = [arguments[0], "dataset.seq_length=50000"]  # Qwen3-8B has 40960 positions
    assert codes(errors("sft/automodel", *public)) == ["NMT303"]


def test_preference_pairs_given_for_prompts(project: Path) -> None:
    jsonl(project / "pairs.jsonl", {"messages": [], "chosen": "a", "rejected": "b"})
    assert "NMT302" in codes(errors("rl/nemo_rl/rlvr", "data.train.data_path=pairs.jsonl"))


def test_unpacked_conversations_are_as_long_for_the_model_as_for_the_data(
    material: Material, project: Path
) -> None:
    data = ("hf_model_path=base", "dataset.dataset_root=chat.jsonl")
    (project / "chat.jsonl").write_text(
        '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\n'
    )
    assert errors("sft/megatron_bridge", *data) == []
    (problem,) = errors("sft/megatron_bridge", *data, "model.seq_length=2048")
    assert (problem.code, problem.fix) == ("NMT301", "model.seq_length=4096")
