"""Training through `nemotron steps run` against the library started directly with the same config.

    uv run python benchmarks/training_overhead.py sft --gpus 1 --tokenizer FOLDER --work /tmp/overhead

Makes a model of about one billion parameters from a config (no hub) and conversations that fill the
sequence, then runs pairs: the step through nemotron, then AutoModel's own command with the very config
that nemotron resolved. The order alternates. Tokens/s are AutoModel's own (`tps` in training.jsonl), the
first steps dropped; printed are the ratio of each pair and their median. Needs one or more GPUs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from nemotron.libraries.environment import require

DROPPED_STEPS = 5
SEQ_LENGTH = 4096
STEPS = {"sft": "sft/automodel", "peft": "peft/automodel"}

# About 1.1 billion parameters, in the shape of Qwen3.
MODEL = """
import sys, torch
from pathlib import Path
from transformers import AutoTokenizer, Qwen3Config, Qwen3ForCausalLM
tokenizer_folder, out = sys.argv[1:3]
torch.manual_seed(0)
config = Qwen3Config(vocab_size=32768, hidden_size=2048, intermediate_size=6144, num_hidden_layers=20,
                     num_attention_heads=16, num_key_value_heads=8, head_dim=128,
                     max_position_embeddings=8192, tie_word_embeddings=False)
config.dtype = torch.bfloat16
with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
    torch.set_default_dtype(torch.bfloat16)
    model = Qwen3ForCausalLM(config)
model.save_pretrained(out)
print(f"{sum(p.numel() for p in model.parameters()):,} parameters")
"""


def prepare(python: Path, tokenizer: Path, work: Path) -> None:
    """The model folder and the data, once."""
    model = work / "model"
    if not (model / "config.json").is_file():
        subprocess.run([python, "-c", MODEL, str(tokenizer), str(model)], check=True)
        for name in (
            "tokenizer.json",
            "tokenizer_config.json",
            "special_tokens_map.json",
            "chat_template.jinja",
        ):
            if (tokenizer / name).is_file():
                shutil.copyfile(tokenizer / name, model / name)
    data = work / "chat.jsonl"
    if not data.is_file():
        words = Path(json.__file__).read_text(encoding="utf-8").split()
        with open(data, "w", encoding="utf-8") as stream:
            for number in range(512):
                start = number % len(words)
                answer = " ".join((words[start:] + words * 40)[:9000])
                turns = [
                    {"role": "user", "content": f"Question {number}?"},
                    {"role": "assistant", "content": answer},
                ]
                stream.write(json.dumps({"messages": turns}) + "\n")


def overrides(arguments: argparse.Namespace, work: Path) -> list[str]:
    batch = arguments.local_batch * arguments.gpus * arguments.accumulate
    return [
        f"model.pretrained_model_name_or_path={work / 'model'}",
        f"dataset.path_or_dataset_id={work / 'chat.jsonl'}",
        f"dataset.seq_length={SEQ_LENGTH}",
        "~validation_dataset",
        "~validation_dataloader",
        "lr_scheduler.lr_warmup_steps=2",
        "model.torch_dtype=bfloat16",
        f"step_scheduler.max_steps={arguments.steps}",
        "step_scheduler.num_epochs=100",
        f"step_scheduler.ckpt_every_steps={arguments.steps}",
        f"step_scheduler.local_batch_size={arguments.local_batch}",
        f"step_scheduler.global_batch_size={batch}",
    ]


def through_nemotron(arguments: argparse.Namespace, work: Path, out: Path) -> tuple[Path, Path]:
    """Run the step; the folder with its metrics, and the config that it resolved."""
    argv = [
        sys.executable,
        "-m",
        "nemotron",
        "steps",
        "run",
        STEPS[arguments.kind],
        "--gpus",
        str(arguments.gpus),
        "--json",
        "--quiet",
        f"checkpoint.checkpoint_dir={out}",
        *overrides(arguments, work),
    ]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, cwd=work)
    told = json.loads(done.stdout)
    if done.returncode:
        if told.get("log"):
            sys.stderr.write(Path(told["log"]).read_text(encoding="utf-8")[-6000:])
        raise SystemExit(f"nemotron failed with {done.returncode}: {told.get('diagnostics')}")
    return out, Path(told["log"]).with_name("config.yaml")


def directly(arguments: argparse.Namespace, python: Path, config: Path, work: Path, out: Path) -> Path:
    """Run AutoModel's own command with the same config, but for the output folder."""
    tree = yaml.safe_load(config.read_text(encoding="utf-8"))
    tree["checkpoint"]["checkpoint_dir"] = str(out)
    own = work / f"{out.name}.yaml"
    own.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
    argv = [
        python,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        str(arguments.gpus),
        "-m",
        "nemo_automodel.cli.app",
        str(own),
    ]
    with open(work / f"{out.name}.log", "wb") as log:
        subprocess.run([str(a) for a in argv], check=True, stdout=log, stderr=log, cwd=work)
    return out


def speed(folder: Path) -> float:
    """Mean tokens/s of the steps after the first five, as AutoModel measured them."""
    lines = [
        json.loads(line) for line in (folder / "training.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    return statistics.fmean(line["tps"] for line in lines[DROPPED_STEPS:])


def losses(folder: Path) -> tuple[float, float]:
    lines = [
        json.loads(line) for line in (folder / "training.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    return lines[0]["loss"], lines[-1]["loss"]


def pair(
    arguments: argparse.Namespace, python: Path, work: Path, number: int, config: Path | None
) -> dict[str, Any]:
    """One pair; after the first, which needs nemotron's config, the order alternates."""
    ours, theirs = work / f"ours-{arguments.kind}-{number}", work / f"theirs-{arguments.kind}-{number}"
    began = time.perf_counter()
    if config is not None and number % 2:
        directly(arguments, python, config, work, theirs)
        _, config = through_nemotron(arguments, work, ours)
    else:
        _, config = through_nemotron(arguments, work, ours)
        directly(arguments, python, config, work, theirs)
    result = {
        "kind": arguments.kind,
        "gpus": arguments.gpus,
        "pair": number,
        "nemotron": speed(ours),
        "direct": speed(theirs),
        "ratio": speed(ours) / speed(theirs),
        "loss": losses(ours),
        "loss_direct": losses(theirs),
        "seconds": time.perf_counter() - began,
        "config": str(config),
    }
    shutil.rmtree(ours)
    shutil.rmtree(theirs)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=STEPS)
    parser.add_argument("--gpus", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--local-batch", type=int, default=4)
    parser.add_argument("--accumulate", type=int, default=1)
    parser.add_argument("--tokenizer", type=Path, default=Path("output/quickstart/model"))
    parser.add_argument("--work", type=Path, default=Path("output/training_overhead"))
    parser.add_argument("--results", type=Path, help="append each pair to this JSONL file")
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    (work / ".nemotron").mkdir(parents=True, exist_ok=True)
    python = require("automodel").python
    prepare(python, arguments.tokenizer.resolve(), work)
    results: list[dict[str, Any]] = []
    config: Path | None = None
    for number in range(arguments.pairs):
        results.append(pair(arguments, python, work, number, config))
        config = Path(results[-1]["config"])
        shown = results[-1]
        print(f"{shown['kind']}, GPUs: {shown['gpus']}, pair {number + 1}, tokens/s", end=": ")
        print(f"{shown['nemotron']:,.0f} through nemotron, {shown['direct']:,.0f} directly", end=", ")
        print(f"ratio {shown['ratio']:.4f}", flush=True)
        if arguments.results:
            with open(arguments.results, "a", encoding="utf-8") as stream:
                stream.write(json.dumps(shown) + os.linesep)
    print(f"median ratio {statistics.median(r['ratio'] for r in results):.4f}")


if __name__ == "__main__":
    main()
