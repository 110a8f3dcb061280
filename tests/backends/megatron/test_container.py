"""A job's config as the installed library's own container: what is set, what is refused and where."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.training

BASE = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 64, "hidden_size": 32,
    "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "max_position_embeddings": 64, "rms_norm_eps": 1e-6, "hidden_act": "silu", "torch_dtype": "bfloat16",
}  # fmt: skip
CONFIG: dict[str, Any] = {
    "recipe": None,
    "dataset": {"seq_length": 16, "data_paths": ["1.0", "/shards/train"], "split": "90,10,0"},
    "train": {"train_iters": 4, "global_batch_size": 2, "micro_batch_size": 1},
    "model": {"seq_length": 16, "tensor_model_parallel_size": 2},
    "optimizer": {"lr": 1.0e-3, "weight_decay": 0.07},
    "scheduler": {"lr_warmup_iters": 1},
    "mixed_precision": "bf16_mixed",
    "checkpoint": {"save": "out"},
}
RECIPES = "megatron.bridge.recipes"
CHANGES: dict[str, dict[str, Any]] = {
    "plain": {},
    "enumeration": {"model": {"attention_backend": "flash"}},
    "section_that_was_none": {"straggler": {"straggler_minmax_count": 3}},
    "adapter": {"peft": {"type": "canonical_lora", "dim": 4}},
    "recipe": {"recipe": f"{RECIPES}.gpt.gpt3_175b.gpt3_175b_pretrain_config", "train": {"train_iters": 9}},
    "unknown": {"model": {"tensor_model_paralel_size": 1}},
    "unknown_section": {"trian": {}},
    "unknown_inside": {"mixed_precision": {"bf16": True, "fp61": False}},
    "unknown_of_adapter": {"peft": {"type": "lora", "dims": 4}},
    "unknown_adapter": {"peft": {"type": "ia3"}},
    "wrong_type": {"optimizer": {"lr": "fast"}},
    "unknown_recipe": {"recipe": "qwen3_8b_sft_confg"},
}
PROGRAM = """
import json, sys, yaml
from pathlib import Path
from nemotron.backends.megatron import library
library.prepare()
from nemotron.backends.job import Job, JobError
from nemotron.backends.megatron import container, models
folder, told = Path(sys.argv[1]), {}
bridge = models.bridge_of(folder / "base", remote_code=False)
for job in sorted(folder.glob("*/config.yaml")):
    config = yaml.safe_load(job.read_text())
    try:
        built = container.build(Job(job.parent, config), folder / "base", bridge, without_cuda=False)
        told[job.parent.name] = {
            "iterations": built.train.train_iters, "layers": built.model.num_layers,
            "tensor": built.model.tensor_model_parallel_size, "attention": str(built.model.attention_backend),
            "straggler": built.straggler and built.straggler.straggler_minmax_count,
            "adapter": type(built.peft).__name__, "rank": getattr(built.peft, "dim", None),
            "decay": [built.scheduler.start_weight_decay, built.scheduler.end_weight_decay],
            "tokenizer": built.tokenizer.tokenizer_model, "boards": built.logger.tensorboard_dir,
        }
    except JobError as error:
        told[job.parent.name] = error.as_dict()
(folder / "told.json").write_text(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(
    megatron_python: Path, library_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What became of each change of the config, all in one process."""
    folder = tmp_path_factory.mktemp("containers")
    (folder / "base").mkdir()
    (folder / "base" / "config.json").write_text(json.dumps(BASE), encoding="utf-8")
    for name, change in CHANGES.items():
        tree = dict(CONFIG)
        for key, value in change.items():
            tree[key] = {**CONFIG[key], **value} if isinstance(CONFIG.get(key), dict) else value
        (folder / name).mkdir()
        (folder / name / "config.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8")
    done = subprocess.run(
        [megatron_python, "-W", "ignore", "-c", PROGRAM, folder],
        env=library_environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    answers: dict[str, Any] = json.loads((folder / "told.json").read_text(encoding="utf-8"))
    return answers


def test_the_model_is_that_of_the_folder_and_the_keys_are_set_on_it(told: dict[str, Any]) -> None:
    plain = told["plain"]
    assert (plain["layers"], plain["tensor"], plain["iterations"]) == (2, 2, 4)
    assert plain["tokenizer"].endswith("/base")
    # The scheduler's own weight decay would otherwise overrule the optimiser's.
    assert plain["decay"] == [0.07, 0.07]


def test_values_of_the_librarys_own_types_are_made(told: dict[str, Any]) -> None:
    assert told["enumeration"]["attention"] == "AttnBackend.flash"
    assert told["section_that_was_none"]["straggler"] == 3
    assert (told["adapter"]["adapter"], told["adapter"]["rank"]) == ("CanonicalLoRA", 4)


def test_a_recipe_is_looked_up_in_the_library_and_the_keys_are_set_on_it(told: dict[str, Any]) -> None:
    recipe = told["recipe"]
    assert (recipe["layers"], recipe["tensor"], recipe["iterations"]) == (96, 2, 9)
    assert recipe["boards"] is None


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        (
            "unknown",
            "NMT841",
            "'model.tensor_model_paralel_size': did you mean 'tensor_model_parallel_size'?",
        ),
        ("unknown_section", "NMT841", "'trian': did you mean 'train'?"),
        ("unknown_inside", "NMT841", "'mixed_precision.fp61'"),
        ("unknown_of_adapter", "NMT841", "'peft.dims': did you mean 'dim'?"),
        ("unknown_adapter", "NMT842", "one of canonical_lora, dora, lora"),
        ("wrong_type", "NMT842", "'optimizer.lr' takes a number"),
        ("unknown_recipe", "NMT225", "qwen3_8b_sft_confg"),
    ],
)
def test_what_the_library_does_not_have_is_refused(
    told: dict[str, Any], name: str, code: str, words: str
) -> None:
    assert told[name].get("code") == code
    assert words in told[name]["summary"]
    assert told[name]["line"] or code == "NMT225"
    assert told[name]["fix"] or code == "NMT842"
