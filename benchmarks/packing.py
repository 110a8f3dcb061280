"""Packing conversations: data_prep/sft_packing against Megatron-Bridge 0.3.1's own packer.

    uv run python benchmarks/packing.py speed       # alternating, on the same generated conversations
    uv run python benchmarks/packing.py memory      # of a hundred thousand conversations, and of a million
    uv run python benchmarks/packing.py algorithm   # first_fit_decreasing on ten million lengths

Needs the libraries automodel and megatron_bridge and the quick start's tokenizer. Each measurement is a
process of its own, in its library's Python; what it imports is not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from nemotron.libraries.environment import require

REPOSITORY = Path(__file__).resolve().parent.parent
TOKENIZER = REPOSITORY / "output" / "quickstart" / "model"
PACK_SIZE = 4096

OURS = """
import json, resource, sys, time
from pathlib import Path
from nemotron.backends import sft_packing
from nemotron.backends.job import Job
import transformers, pyarrow.parquet

def cpu():
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))

if __name__ == "__main__":
    config = json.loads(sys.argv[1])
    folder = Path(config["output_dir"]).parent
    began, used = time.perf_counter(), cpu()
    sft_packing.main(Job(folder, config))
    seconds, used = time.perf_counter() - began, cpu() - used
    split = json.loads((Path(config["output_dir"]) / "summary.json").read_text())["splits"]["train"]
    peak = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    told = {"seconds": seconds, "cpu": used, "tokens": split["tokens"], "efficiency": split["efficiency"]}
    print(json.dumps({**told, "own_mib": peak[0] >> 10, "largest_child_mib": peak[1] >> 10}))
"""
LIBRARY = """
import json, sys, time
from pathlib import Path
from nemotron.backends.megatron.library import prepare
prepare()
from megatron.bridge.data.datasets.packed_sequence import prepare_packed_sequence_data
from megatron.bridge.training.tokenizers.config import TokenizerConfig
from megatron.bridge.training.tokenizers.tokenizer import build_tokenizer

config = json.loads(sys.argv[1])
out, size = Path(config["output_dir"]), config["pack_size"]
began, used = time.perf_counter(), time.process_time()
chosen = TokenizerConfig(tokenizer_type="HuggingFaceTokenizer", tokenizer_model=config["tokenizer"]["model"])
prepare_packed_sequence_data(
    input_path=Path(config["input_path"]), output_path=out.with_suffix(".npy"),
    output_metadata_path=out.with_suffix(".json"), packed_sequence_size=size,
    tokenizer=build_tokenizer(chosen), max_seq_length=size, packing_algorithm=config["algorithm"],
    dataset_kwargs={"chat": True, "use_hf_tokenizer_chat_template": True},
)
seconds, used = time.perf_counter() - began, time.process_time() - used
import numpy
packs = numpy.load(out.with_suffix(".npy"), allow_pickle=True)
tokens = sum(len(pack["input_ids"]) - len(pack["seq_start_id"]) for pack in packs)
told = {"seconds": seconds, "cpu": used, "tokens": tokens}
print(json.dumps({**told, "efficiency": 100 * tokens / len(packs) / size}))
"""
ALGORITHM = """
import json, resource, sys, time
import numpy as np
from nemotron.data.packing import first_fit_decreasing

draw, size = np.random.default_rng(1), int(sys.argv[1])
lengths = np.clip(draw.lognormal(6, 0.9, 10_000_000), 1, size).astype(np.int32)
began = time.perf_counter()
packs = first_fit_decreasing(lengths, size)
seconds = time.perf_counter() - began
full = 100 * lengths.sum() / len(packs) / size
print(json.dumps({"seconds": seconds, "packs": len(packs), "efficiency": full}))
"""


def write_conversations(file: Path, count: int, words_each: float) -> None:
    """Conversations of one to three exchanges, of lengths that vary as those of real ones do.

    None is longer than a pack: Megatron-Bridge 0.3.1 ends with an IndexError where one is.
    """
    draw = random.Random(1)
    words = Path(json.__file__).read_text(encoding="utf-8").split()
    with open(file, "w", encoding="utf-8") as stream:
        for _ in range(count):
            turns = []
            for _ in range(draw.choice((1, 1, 2, 3))):
                for role, share in (("user", 0.3), ("assistant", 1.0)):
                    length = max(1, min(200, int(words_each * share * draw.lognormvariate(-0.3, 0.8))))
                    start = draw.randrange(len(words))
                    said = " ".join((words[start:] + words * (1 + length // len(words)))[:length])
                    turns.append({"role": role, "content": said})
            stream.write(json.dumps({"messages": turns}) + "\n")


def measure(library: str, program: str, *arguments: str) -> dict[str, Any]:
    """What a program prints last, run in a library's Python with our code on its path."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "measured.py"
        file.write_text(program, encoding="utf-8")
        done = subprocess.run(
            [require(library).python, file, *arguments],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY / "src"), "HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
        )
    if done.returncode:
        sys.exit(done.stderr[-4000:])
    told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return told


def config_for(data: Path, out: Path, **changed: Any) -> str:
    config = {
        "input_path": str(data),
        "output_dir": str(out),
        "tokenizer": {"model": str(TOKENIZER)},
        "pack_size": PACK_SIZE,
        "algorithm": "first_fit_shuffle",
        "format": "npy",
        "num_shards": 1,
        "train_ratio": 1.0,
        "valid_ratio": 0.0,
        "test_ratio": 0.0,
        "workers": len(os.sched_getaffinity(0)),
    }
    return json.dumps(config | changed)


def speed(work: Path, conversations: int, rounds: int) -> None:
    data = work / "chat.jsonl"
    write_conversations(data, conversations, 60)
    print(f"{conversations:,} conversations, {data.stat().st_size:,} bytes, packs of {PACK_SIZE:,}")
    ratios = []
    for number in range(rounds):
        ours = measure("automodel", OURS, config_for(data, work / f"ours-{number}"))
        theirs = measure("megatron_bridge", LIBRARY, config_for(data, work / f"theirs-{number}"))
        for name, told in (("nemotron", ours), ("Megatron-Bridge", theirs)):
            print(
                f"{name:16} {told['tokens']:,} tokens in {told['seconds']:.1f} s "
                f"({told['cpu']:.1f} s of CPU): {told['tokens'] / told['seconds']:,.0f} tokens/s, "
                f"packs {told['efficiency']:.2f} % full",
                flush=True,
            )
        ratios.append(theirs["seconds"] / ours["seconds"] * ours["tokens"] / theirs["tokens"])
    print(f"ratio {' · '.join(f'{r:.1f}' for r in ratios)}, median {statistics.median(ratios):.1f}")


def memory(work: Path, conversations: int) -> None:
    peaks = []
    for count in (conversations // 10, conversations):
        data = work / f"chat-{count}.jsonl"
        write_conversations(data, count, 10)
        out = work / f"out-{count}"
        told = measure("automodel", OURS, config_for(data, out, num_shards=16, pack_size=512, format="both"))
        peaks.append(told["own_mib"] + len(os.sched_getaffinity(0)) * told["largest_child_mib"])
        print(
            f"{count:,} conversations, {told['tokens']:,} tokens in {told['seconds']:.0f} s: at most "
            f"{told['own_mib']:,} MiB, and {told['largest_child_mib']:,} MiB in each worker",
            flush=True,
        )
        data.unlink()
    grown = (peaks[1] - peaks[0]) * (1 << 20) / (0.9 * conversations)
    print(f"{grown:.1f} bytes more a conversation; {peaks[1]:,} MiB in all")


def algorithm() -> None:
    for size in (4096, 32768, 131072):
        told = measure("automodel", ALGORITHM, str(size))
        print(
            f"first_fit_decreasing, packs of {size:,}: {told['seconds']:.1f} s for 10,000,000 lengths, "
            f"{told['packs']:,} packs, {told['efficiency']:.3f} % full",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["speed", "memory", "algorithm"])
    parser.add_argument("--conversations", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.what == "speed":
            speed(Path(folder), arguments.conversations or 100_000, arguments.rounds)
        elif arguments.what == "memory":
            memory(Path(folder), arguments.conversations or 1_000_000)
        else:
            algorithm()


if __name__ == "__main__":
    main()
