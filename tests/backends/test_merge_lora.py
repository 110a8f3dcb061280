"""Merging an adapter: the merged model says what base and adapter say together, and loads like the base."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path
from typing import Any

import pytest
from step_errors import recognised

from nemotron.backends.hf_folder import tensor_shapes

pytestmark = pytest.mark.training

JOBS: dict[str, dict[str, str]] = {
    "merged": {},
    "in_bfloat16": {"torch_dtype": "bfloat16"},
    "fewer_layers": {"base_hf_path": "shallow"},
    "other_shape": {"base_hf_path": "narrow"},
    "pickled_adapter": {"lora_checkpoint": "pickled"},
    "pickled_base": {"base_hf_path": "pickled_base"},
    "no_adapter": {"lora_checkpoint": "base"},
    "not_lora": {"lora_checkpoint": "other_kind"},
    "foreign_names": {"lora_checkpoint": "foreign_names"},
    "other_hub_model": {"lora_checkpoint": "of_hub", "base_hf_path": "Org/Other-Model"},
    "no_base": {"base_hf_path": "nothing_here"},
    "weights_not_in_config": {"lora_checkpoint": "narrowed"},
    "taken": {"output_hf_path": "base"},
}
# As examples of the files of a tokenizer that a save by transformers 5 would rewrite or leave out.
EXTRA_FILES = {
    "special_tokens_map.json": '{"eos_token":   "<eos>"}',
    "chat_template.jinja": "{% for m in messages %}{{ m['content'] }}{% endfor %}\n",
    "vocab.json": "{}",
    "generation_config.json": '{"eos_token_id": 201,   "max_length": 77}',
}


class Merged:
    def __init__(self, folder: Path, answers: dict[str, Any]) -> None:
        self.folder = folder
        self.answers = answers

    def out(self, name: str) -> Path:
        return self.folder / name / "out"

    def error(self, name: str) -> dict[str, Any]:
        return self.answers[name]["error"]


def damaged_adapters(folder: Path) -> None:
    """Folders that look like adapters and are not what the step can merge."""
    adapter = folder / "adapter"
    for name in ("pickled", "other_kind", "foreign_names", "of_hub", "narrowed"):
        shutil.copytree(adapter, folder / name)
    (folder / "pickled" / "adapter_model.safetensors").rename(folder / "pickled" / "adapter_model.bin")
    change_config(folder / "other_kind", peft_type="IA3")
    change_config(folder / "of_hub", base_model_name_or_path="Org/The-Base")
    change_config(folder / "narrowed", target_modules=["q_proj"])
    rename_tensors(folder / "foreign_names" / "adapter_model.safetensors", "base_model.model.", "model.")
    shutil.copytree(folder / "base", folder / "pickled_base")
    (folder / "pickled_base" / "model.safetensors").rename(folder / "pickled_base" / "pytorch_model.bin")


def change_config(adapter: Path, **values: Any) -> None:
    file = adapter / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def rename_tensors(file: Path, old: str, new: str) -> None:
    content = file.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    renamed = json.dumps({name.replace(old, new, 1): entry for name, entry in header.items()}).encode()
    file.write_bytes(struct.pack("<Q", len(renamed)) + renamed + content[8 + length :])


def job_call(folder: Path, name: str) -> dict[str, Any]:
    config = {"lora_checkpoint": "adapter", "base_hf_path": "base", "output_hf_path": f"{name}/out"}
    config = {
        key: value if key == "torch_dtype" or value.startswith("Org/") else str(folder / value)
        for key, value in {**config, **JOBS[name]}.items()
    }
    return {"call": "job", "backend": "merge_lora", "folder": str(folder / name), "config": config}


@pytest.fixture(scope="module")
def merged(in_library: Any, word_tokenizer: Path, tmp_path_factory: Any) -> Merged:
    folder = tmp_path_factory.mktemp("merged")
    model = {"call": "make_model", "tokenizer": str(word_tokenizer), "seed": 1}
    in_library(
        [
            {**model, "folder": str(folder / "base")},
            {**model, "folder": str(folder / "shallow"), "layers": 1},
            {**model, "folder": str(folder / "narrow"), "hidden": 16},
            {
                "call": "make_adapter",
                "folder": str(folder / "adapter"),
                "base": str(folder / "base"),
                "seed": 2,
            },
        ]
    )
    for name, content in EXTRA_FILES.items():
        (folder / "base" / name).write_text(content)
    damaged_adapters(folder)
    base, adapter = str(folder / "base"), str(folder / "adapter")
    calls = {name: job_call(folder, name) for name in JOBS}
    calls["together"] = {"call": "logits", "model": base, "adapter": adapter}
    calls["alone"] = {"call": "logits", "model": base}
    calls["after"] = {"call": "logits", "model": str(folder / "merged" / "out")}
    return Merged(folder, dict(zip(calls, in_library(list(calls.values())), strict=True)))


def largest_difference(first: Any, second: Any) -> float:
    return max(abs(a - b) for x, y in zip(first, second, strict=True) for a, b in zip(x, y, strict=True))


def test_the_merged_model_says_what_base_and_adapter_say(merged: Merged) -> None:
    answers = merged.answers
    assert largest_difference(answers["after"], answers["together"]) < 1e-5
    assert largest_difference(answers["after"], answers["alone"]) > 0.01


def test_config_and_tokenizer_are_the_bases_byte_for_byte(merged: Merged) -> None:
    base = merged.folder / "base"
    files = {p.name: p.read_bytes() for p in base.iterdir() if p.suffix != ".safetensors"}
    assert {*EXTRA_FILES, "config.json", "tokenizer.json", "tokenizer_config.json"} <= set(files)
    written = {p.name: p.read_bytes() for p in merged.out("merged").iterdir() if p.suffix != ".safetensors"}
    assert written == files


def test_the_weights_have_the_bases_names_and_shapes(merged: Merged) -> None:
    base, out = merged.folder / "base" / "model.safetensors", merged.out("merged") / "model.safetensors"
    assert tensor_shapes(out) == tensor_shapes(base)


def test_another_dtype_changes_the_config_only_there(merged: Merged) -> None:
    before = json.loads((merged.folder / "base" / "config.json").read_text())
    after = json.loads((merged.out("in_bfloat16") / "config.json").read_text())
    changed = {key for key in before if before[key] != after[key]}
    assert len(changed) == 1
    assert changed <= {"dtype", "torch_dtype"}
    assert merged.answers["in_bfloat16"]["outputs"][0]["facts"] == {"dtype": "bfloat16"}


def test_weights_are_as_readable_as_the_other_files(merged: Merged) -> None:
    out = merged.out("merged")
    assert (out / "model.safetensors").stat().st_mode == (out / "config.json").stat().st_mode


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("fewer_layers", "NMT341", "model.layers.1."),
        ("other_shape", "NMT342", "model.layers.0.self_attn.q_proj (32 → 32, in the base 16 → 16)"),
        ("other_hub_model", "NMT341", "was trained on Org/The-Base, and the base given is Org/Other-Model"),
        ("pickled_adapter", "NMT702", "adapter_model.bin"),
        ("pickled_base", "NMT702", "pytorch_model.bin"),
        ("no_adapter", "NMT340", "adapter_config.json is not in it"),
        ("not_lora", "NMT343", "of type IA3"),
        ("foreign_names", "NMT343", "no LoRA matrices"),
        ("weights_not_in_config", "NMT343", "leaves out modules"),
        ("no_base", "NMT340", "there is no checkpoint at"),
        ("taken", "NMT704", "is not empty"),
    ],
)
def test_what_does_not_fit_is_refused(merged: Merged, name: str, code: str, says: str) -> None:
    error = merged.error(name)
    assert error["code"] == code
    assert says in error["summary"]
    assert not list(merged.out(name).glob("*.safetensors"))


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("fewer_layers", "other_base"),
        ("other_shape", "other_base"),
        ("not_lora", "not_an_adapter"),
        ("pickled_base", "pickled_weights"),
    ],
)
def test_known_errors_are_recognised_in_the_log(merged: Merged, name: str, known: str) -> None:
    assert recognised("convert/merge_lora", merged.error(name)) == [known]


def test_the_step_runs_as_a_process_and_reports_progress(
    merged: Merged, run_step: Any, tmp_path: Path
) -> None:
    config = {
        "lora_checkpoint": str(merged.folder / "adapter"),
        "base_hf_path": str(merged.folder / "base"),
        "output_hf_path": str(tmp_path / "out"),
    }
    done = run_step("convert/merge_lora", config)
    assert done.code == 0, done.log
    (output,) = done.read("outputs.json")
    assert (output["port"], output["path"]) == ("checkpoint_hf", str(tmp_path / "out"))
    assert done.progress[-1]["unit"] == "modules merged"
    assert done.progress[-1]["step"] == done.progress[-1]["total"]
    written = (tmp_path / "out" / "model.safetensors").read_bytes()
    assert written == (merged.out("merged") / "model.safetensors").read_bytes()
