"""Conversions there and back and merges by the real library: what changes, what is refused, what goes along.

All of it takes two processes and one pair, because the library's imports take longer than everything else.
"""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from step_errors import STEPS, recognised

pytestmark = pytest.mark.training

TO_MEGATRON, TO_HF, MERGE = "convert/hf_to_megatron", "convert/megatron_to_hf", "convert/merge_lora"
ITERATION = "iter_0000000"
# What the job of each process does: its step and its config, in which paths are below the tests' folder.
Jobs = dict[str, tuple[str, dict[str, str]]]
FIRST: Jobs = {
    "megatron": (TO_MEGATRON, {}),
    "bfloat16": (TO_MEGATRON, {"torch_dtype": "bfloat16"}),
}
CHECKPOINT = {"megatron_path": f"megatron/out/{ITERATION}"}
THEN: Jobs = {
    "taken": (TO_MEGATRON, {"megatron_path": "base"}),
    "no_weights": (TO_MEGATRON, {"hf_model_path": "no_weights"}),
    "unknown_kind": (TO_MEGATRON, {"hf_model_path": "unknown_kind"}),
    "back": (TO_HF, CHECKPOINT),
    "back_from_two": (TO_HF, {"megatron_path": f"two/out/{ITERATION}"}),
    "back_from_bfloat16": (TO_HF, {"megatron_path": f"bfloat16/out/{ITERATION}"}),
    "to_bfloat16": (TO_HF, {**CHECKPOINT, "torch_dtype": "bfloat16"}),
    "through_a_link": (TO_HF, {"megatron_path": "latest"}),
    "newest": (TO_HF, {"megatron_path": "run", "iteration": "latest"}),
    "run": (TO_HF, {"megatron_path": "run"}),
    "nowhere": (TO_HF, {"megatron_path": f"nowhere/{ITERATION}"}),
    "no_index": (TO_HF, {"megatron_path": f"no_index/{ITERATION}"}),
    "no_shard": (TO_HF, {"megatron_path": f"no_shard/{ITERATION}"}),
    "short_shard": (TO_HF, {"megatron_path": f"short_shard/{ITERATION}"}),
    "odd_index": (TO_HF, {"megatron_path": f"odd_index/{ITERATION}"}),
    "odd_shard": (TO_HF, {"megatron_path": f"odd_shard/{ITERATION}"}),
    "odd_words": (TO_HF, {"megatron_path": f"odd_words/{ITERATION}"}),
    "no_tracker": (TO_HF, {"megatron_path": f"no_tracker/{ITERATION}"}),
    "not_counted": (TO_HF, {"megatron_path": "run/iter_0000009"}),
    "deeper_reference": (TO_HF, {**CHECKPOINT, "hf_model_path": "deeper"}),
    "wider_reference": (TO_HF, {**CHECKPOINT, "hf_model_path": "wider"}),
    "taken_too": (TO_HF, {**CHECKPOINT, "hf_path": "base"}),
    "merged": (MERGE, {}),
    "merged_into_megatron": (MERGE, {"base_megatron_path": f"megatron/out/{ITERATION}"}),
    "merged_in_bfloat16": (MERGE, {"torch_dtype": "bfloat16"}),
    "of_another_base": (MERGE, {"base_hf_path": "deeper"}),
    "no_adapter": (MERGE, {"lora_checkpoint": f"megatron/out/{ITERATION}"}),
}
DEFAULTS: dict[str, dict[str, str]] = {
    TO_MEGATRON: {"hf_model_path": "base", "megatron_path": "{}/out", "torch_dtype": "float32"},
    TO_HF: {"hf_model_path": "base", "hf_path": "{}/out", "torch_dtype": "float32"},
    MERGE: {
        "lora_checkpoint": f"adapter/{ITERATION}",
        "base_hf_path": "base",
        "output_hf_path": "{}/out",
        "torch_dtype": "auto",
    },
}
CALLS = {
    TO_MEGATRON: {"backend": "megatron.convert", "entry": "hf_to_megatron"},
    TO_HF: {"backend": "megatron.convert", "entry": "megatron_to_hf"},
    MERGE: {"backend": "megatron.merge", "entry": "main"},
}
EXTRA_FILES = {
    "special_tokens_map.json": '{"eos_token":   "<eos>"}',
    "chat_template.jinja": "{% for m in messages %}{{ m['content'] }}{% endfor %}\n",
    "generation_config.json": '{"eos_token_id": 201,   "max_length": 77}',
}


COMPARED: dict[str, dict[str, Any]] = {
    "equal": {"before": [1.0, -2.0], "after": [1.0, -2.0], "dtype": "float32"},
    "rounded_as_the_format_does": {"before": [1.001, -2.0], "after": [1.001, -2.0], "dtype": "bfloat16"},
    "rounded_once_more": {"before": [1.0, -2.0], "after": [1.0, -2.0000002], "dtype": "float32"},
    "changed": {"before": [1.0, -2.0], "after": [1.01, -2.0], "dtype": "float32"},
    "not_a_number": {"before": [1.0, -2.0], "after": [1.0, float("nan")], "dtype": "float32"},
    "of_another_shape": {"before": [1.0, -2.0], "after": [1.0, -2.0, 0.0], "dtype": "float32"},
}


class Converted:
    """The folder with a subfolder for each job, and what each job answered."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answers: dict[str, Any] = {}

    def requests(self, jobs: Jobs) -> list[dict[str, Any]]:
        return [
            {"call": "job", "folder": str(self.folder / name), "config": self.config(name), **CALLS[step]}
            for name, (step, _) in jobs.items()
        ]

    def config(self, name: str) -> dict[str, str]:
        step, changes = {**FIRST, **THEN}[name]
        given = {key: value.format(name) for key, value in {**DEFAULTS[step], **changes}.items()}
        plain = ("torch_dtype", "iteration")
        return {key: value if key in plain else str(self.folder / value) for key, value in given.items()}

    def out(self, name: str) -> Path:
        return Path(self.answers[name]["outputs"][0]["path"])

    def error(self, name: str) -> dict[str, Any]:
        return self.answers[name]["error"]

    def comparison(self, name: str) -> dict[str, Any]:
        return json.loads((self.out(name) / "conversion.json").read_text())


def odd_models(folder: Path) -> None:
    """Folders that look like models and cannot be converted."""
    for name in ("no_weights", "unknown_kind"):
        shutil.copytree(folder / "base", folder / name)
    (folder / "no_weights" / "model.safetensors").unlink()
    config = folder / "unknown_kind" / "config.json"
    told = json.loads(config.read_text())
    config.write_text(json.dumps({**told, "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2"}))


def odd_checkpoints(folder: Path) -> None:
    """Megatron checkpoints of which a part is missing; a run with one that is not counted as finished."""
    whole = folder / "megatron" / "out"
    odd = ("odd_index", "odd_shard", "odd_words")
    for name in ("no_index", "no_shard", "short_shard", "no_tracker", "run", *odd):
        shutil.copytree(whole, folder / name)
    (folder / "no_index" / ITERATION / ".metadata").unlink()
    (folder / "no_shard" / ITERATION / "__0_1.distcp").unlink()
    short = folder / "short_shard" / ITERATION / "__0_0.distcp"
    short.write_bytes(short.read_bytes()[:100])
    (folder / "odd_index" / ITERATION / ".metadata").write_bytes(b"x")
    damaged = folder / "odd_shard" / ITERATION / "__0_0.distcp"
    damaged.write_bytes(b"x" * damaged.stat().st_size)
    (folder / "odd_words" / ITERATION / "run_config.yaml").write_text("model:\n  [")
    (folder / "no_tracker" / "latest_checkpointed_iteration.txt").unlink()
    shutil.copytree(folder / "run" / ITERATION, folder / "run" / "iter_0000009")
    (folder / "latest").symlink_to(whole / ITERATION)


def weights(folder: Path) -> dict[str, bytes]:
    """The bytes of each tensor of a Hugging Face folder."""
    content = (folder / "model.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    header.pop("__metadata__", None)
    places = {name: entry["data_offsets"] for name, entry in header.items()}
    return {name: content[8 + length + begin : 8 + length + end] for name, (begin, end) in places.items()}


def convert_in_two_processes(python: Path, environment: dict[str, str], folder: Path) -> None:
    """Run the step as the runner does, with each weight split over two processes."""
    attempt = folder / "two"
    attempt.mkdir()
    config = {
        key: str(folder / name) for key, name in (("hf_model_path", "base"), ("megatron_path", "two/out"))
    }
    (attempt / "config.yaml").write_text(yaml.safe_dump({**config, "torch_dtype": "float32", "tp": 2}))
    program = STEPS / TO_MEGATRON / "step.py"
    torchrun = [python, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*torchrun, program, "--config", "config.yaml"],
        cwd=attempt,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-4000:]


@pytest.fixture(scope="module")
def converted(
    in_megatron: Any,
    megatron_python: Path,
    library_environment: dict[str, str],
    word_tokenizer: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Converted:
    done = Converted(tmp_path_factory.mktemp("converted"))
    tokenizer = shutil.copytree(word_tokenizer, done.folder / "tokenizer")
    for name, text in EXTRA_FILES.items():
        (tokenizer / name).write_text(text)
    base, adapter = str(done.folder / "base"), str(done.folder / "adapter")
    model = {"call": "make_model", "tokenizer": str(tokenizer), "seed": 3}
    requests = [
        {**model, "folder": base},
        {**model, "folder": str(done.folder / "deeper"), "layers": 3},
        {**model, "folder": str(done.folder / "wider"), "hidden": 64},
        {"call": "make_megatron_adapter", "folder": adapter, "base": base, "seed": 5},
    ]
    made = in_megatron([*requests, *done.requests(FIRST)])
    done.answers = dict(zip(FIRST, made[len(requests) :], strict=True))
    convert_in_two_processes(megatron_python, library_environment, done.folder)
    odd_models(done.folder)
    odd_checkpoints(done.folder)
    compare = [{"call": "compared", **case} for case in COMPARED.values()]
    answers = in_megatron([*compare, *done.requests(THEN)])
    done.answers |= dict(zip([*COMPARED, *THEN], answers, strict=True))
    return done


def test_there_and_back_changes_nothing(converted: Converted) -> None:
    base = weights(converted.folder / "base")
    assert len(base) == 21
    for name in ("back", "back_from_two", "through_a_link", "newest"):
        assert weights(converted.out(name)) == base
    for name in ("megatron", "back"):
        found = converted.comparison(name)
        assert (found["tensors"], found["largest_difference"], found["left_out"]) == (21, 0.0, [])


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("equal", {"tensors": 1, "largest_difference": 0.0}),
        ("rounded_as_the_format_does", {"tensors": 1, "largest_difference": 0.0}),
        ("rounded_once_more", {"tensors": 1, "most_different": "w"}),
        ("changed", {"code": "NMT863"}),
        ("not_a_number", {"code": "NMT863"}),
        ("of_another_shape", {"code": "NMT863"}),
    ],
)
def test_what_the_comparison_takes_for_a_change(
    converted: Converted, name: str, told: dict[str, Any]
) -> None:
    assert told.items() <= converted.answers[name].items()


def test_two_processes_that_share_the_weights_write_one_checkpoint(converted: Converted) -> None:
    folder = converted.folder / "two"
    (output,) = json.loads((folder / "outputs.json").read_text())
    assert output["path"] == str(folder / "out" / ITERATION)
    found = json.loads((folder / "out" / ITERATION / "conversion.json").read_text())
    assert (found["tensors"], found["largest_difference"]) == (21, 0.0)


def test_the_checkpoint_is_the_first_iteration_of_a_run(converted: Converted) -> None:
    assert converted.answers["megatron"]["outputs"] == [
        {
            "port": "checkpoint_megatron",
            "path": str(converted.folder / "megatron/out" / ITERATION),
            "facts": {},
        }
    ]
    tracker = converted.folder / "megatron" / "out" / "latest_checkpointed_iteration.txt"
    assert tracker.read_text() == "0"


def test_the_files_of_the_base_go_along_byte_for_byte(converted: Converted) -> None:
    base = converted.folder / "base"
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", *EXTRA_FILES):
        assert (converted.out("back") / name).read_bytes() == (base / name).read_bytes(), name
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        assert (converted.out("megatron") / "tokenizer" / name).read_bytes() == (base / name).read_bytes()


def test_other_number_formats(converted: Converted) -> None:
    for name in ("bfloat16", "back_from_bfloat16", "to_bfloat16"):
        assert converted.comparison(name)["largest_difference"] == 0.0
    before = json.loads((converted.folder / "base" / "config.json").read_text())
    after = json.loads((converted.out("to_bfloat16") / "config.json").read_text())
    assert after == {**before, "torch_dtype": "bfloat16"} or after == {**before, "dtype": "bfloat16"}


def test_progress_counts_tensors(converted: Converted) -> None:
    lines = (converted.folder / "back" / "progress.jsonl").read_text().splitlines()
    last = json.loads(lines[-1])
    assert (last["step"], last["total"], last["unit"]) == (21, 21, "tensors")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("no_index", "it lacks .metadata"),
        ("no_shard", "the shard __0_1.distcp is missing"),
        ("short_shard", "the shard __0_0.distcp has 100 of"),
        ("odd_index", "its index .metadata cannot be read"),
        ("odd_shard", "one of its shards is damaged"),
        ("odd_words", "its run_config.yaml does not say what the model is"),
        ("no_tracker", "its run has no latest_checkpointed_iteration.txt"),
        ("not_counted", "latest_checkpointed_iteration.txt counts up to iteration 0"),
    ],
)
def test_a_checkpoint_that_is_not_whole_is_refused(converted: Converted, name: str, says: str) -> None:
    error = converted.error(name)
    assert (error["code"], says in error["summary"]) == ("NMT861", True)
    assert recognised(TO_HF, error) == ["incomplete_checkpoint"]
    assert not list((converted.folder / name / "out").glob("*"))


def test_a_run_is_no_checkpoint_unless_its_newest_is_asked_for(converted: Converted) -> None:
    error = converted.error("run")
    assert error["code"] == "NMT861"
    assert error["fix"].startswith("megatron_path=")
    assert recognised(TO_HF, error) == ["bad_checkpoint_path"]


def test_a_checkpoint_that_is_not_there(converted: Converted) -> None:
    assert recognised(TO_HF, converted.error("nowhere")) == ["incomplete_checkpoint"]


def test_a_merged_model_is_the_base_with_the_adapters_modules_changed(converted: Converted) -> None:
    base = weights(converted.folder / "base")
    merged = weights(converted.out("merged"))
    changed = {name.split(".")[-2] for name in base if merged[name] != base[name]}
    assert changed == {f"{each}_proj" for each in ("q", "k", "v", "o", "gate", "up", "down")}
    assert merged.keys() == base.keys()
    assert converted.comparison("merged")["tensors"] == 21
    assert converted.comparison("merged")["largest_difference"] < 1e-6
    assert weights(converted.out("merged_into_megatron")) == merged


def test_a_merge_in_another_number_format(converted: Converted) -> None:
    assert converted.answers["merged"]["outputs"][0]["facts"] == {"dtype": "float32"}
    assert converted.answers["merged_in_bfloat16"]["outputs"][0]["facts"] == {"dtype": "bfloat16"}
    assert converted.comparison("merged_in_bfloat16")["tensors"] == 21


def test_an_adapter_of_another_base_is_refused(converted: Converted) -> None:
    error = converted.error("of_another_base")
    assert (error["code"], recognised(MERGE, error)) == ("NMT864", ["other_base"])


def test_a_whole_model_is_no_adapter(converted: Converted) -> None:
    error = converted.error("no_adapter")
    assert (error["code"], recognised(MERGE, error)) == ("NMT864", ["not_an_adapter"])


@pytest.mark.parametrize("name", ["deeper_reference", "wider_reference"])
def test_another_reference_is_refused(converted: Converted, name: str) -> None:
    error = converted.error(name)
    assert error["code"] == "NMT862"
    assert recognised(TO_HF, error) == ["weights_do_not_match"]


@pytest.mark.parametrize("name", ["taken", "taken_too"])
def test_nothing_is_written_over(converted: Converted, name: str) -> None:
    assert converted.error(name)["code"] == "NMT704"
    assert not (converted.folder / "base" / "conversion.json").exists()


def test_what_is_no_model_for_it_is_refused(converted: Converted) -> None:
    assert recognised(TO_MEGATRON, converted.error("no_weights")) == ["source_not_clean"]
    assert converted.error("unknown_kind")["code"] == "NMT860"
    assert recognised(TO_MEGATRON, converted.error("unknown_kind")) == ["unsupported_architecture"]
