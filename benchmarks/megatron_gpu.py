"""Megatron-Bridge on the GPUs of one host: layouts compared, against the library, and at their limits.

    uv run python benchmarks/megatron_gpu.py all --work /tmp/megatron --results DIR

`prepare` makes models and data, packs and converts them through nemotron. `layouts` trains one model in
every layout from the same converted checkpoint, and compares losses. `overhead` runs pairs: a training
through `nemotron steps run`, and the library by itself with the config that nemotron resolved. `starts` has
the library start in layouts that the checker takes, and in such as it refuses. Each writes DIR/PART.json;
what needs more GPUs than there are is left out. `--tiny` tries it on the CPU, without packing and layouts.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import megatron_starts
import yaml
from gpu_host import HERE, Host, end_of
from gpu_pool import Task, run_all
from megatron_cases import CASES, SIZES, Case

SEQ_LENGTH, GLOBAL_BATCH = 4096, 8
STEPS, OVERHEAD_STEPS, DROPPED_STEPS, COMPARED_STEPS = 20, 30, 5, 10
ITERATION = re.compile(r"elapsed time per iteration \(ms\):\s*([\d.]+)")
PEAK = re.compile(r"peak memory: ([\d.]+) GiB")
# On the CPU: nothing is packed, and numbers have 32 bits.
TINY = {
    "dataset.packed_sequence_specs": None,
    "dataset.seq_length": 512,
    "mixed_precision": None,
    "dist.distributed_backend": "gloo",
}


class Bench:
    """The parts; what each found is printed and written."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.tiny: bool = given.tiny
        self.host = Host(given.work, on_cpu=self.tiny)
        self.work = self.host.work
        self.results: Path = given.results.resolve()
        self.results.mkdir(parents=True, exist_ok=True)
        self.steps, self.overhead_steps = (8, 8) if self.tiny else (STEPS, OVERHEAD_STEPS)

    def write(self, part: str, found: Any) -> None:
        text = json.dumps(found, indent=1, default=str)
        (self.results / f"{part}.json").write_text(text + "\n", encoding="utf-8")
        print(f"--- {part}\n{text}", flush=True)

    # --- prepare ------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Models and data, then packs and Megatron checkpoints, through nemotron."""
        tiny = ["--tiny"] if self.tiny else []
        argv = [str(self.host.python), str(HERE / "megatron_models.py"), str(self.work), *tiny]
        subprocess.run(argv, check=True, env=self.host.environment(self.host.gpus[:1]))
        tasks = [Task(model, 1, self._convert(model)) for model in ("dense", "moe")]
        if not self.tiny:
            tasks.append(Task("pack", 1, lambda _: self._pack()))
        self.write("prepare", run_all(tasks, self.host.gpus))

    def _convert(self, model: str) -> Callable[[list[str]], float]:
        def run(devices: list[str]) -> float:
            began = time.perf_counter()
            keys = {
                "hf_model_path": self.work / model,
                "megatron_path": self.work / f"{model}-megatron",
                "torch_dtype": "float32" if self.tiny else "bfloat16",
            }
            self.host.nemotron("convert/hf_to_megatron", devices, keys)
            return time.perf_counter() - began

        return run

    def _pack(self) -> dict[str, Any]:
        """Packs that suit every layout: with context parallel 2, sequences are padded to a multiple of 4."""
        keys = {
            "input_path": self.work / "chat.jsonl",
            "tokenizer.model": self.work / "tokenizer",
            "output_dir": self.work / "packed",
            "pack_size": SEQ_LENGTH,
            "pad_multiple": 4,
            "num_shards": 4,
            "format": "npy",
        }
        self.host.nemotron("data_prep/sft_packing", [], keys)
        summary: dict[str, Any] = json.loads((self.work / "packed" / "summary.json").read_text())
        return summary

    # --- layouts ------------------------------------------------------------------------------------------

    def layouts(self) -> None:
        """Train in every layout that the GPUs hold; losses, tokens/s and peak memory of each.

        What an earlier call finished is not run again, so that a call with too little time can be repeated.
        """
        finished = {case.name: self._finished(case) for case in CASES}
        left = [case for case in CASES if not finished[case.name].is_file()]
        failed = run_all([Task(case.name, case.gpus, self._training(case)) for case in left], self.host.gpus)
        ran = {
            name: json.loads(file.read_text(encoding="utf-8"))
            if file.is_file()
            else failed.get(name, "not run")
            for name, file in finished.items()
        }
        self.write("layouts", {"largest_difference": _differences(ran), "cases": ran})

    def _finished(self, case: Case) -> Path:
        return self.work / f"ran-{case.name.replace(' ', '-')}.json"

    def _training(self, case: Case) -> Callable[[list[str]], None]:
        def run(devices: list[str]) -> None:
            began = time.perf_counter()
            out = self.work / f"out-{case.name.replace(' ', '-')}"
            log = self._train(case, devices, out, self.steps)
            told = log.with_name("progress.jsonl").read_text(encoding="utf-8")
            lines = [json.loads(line) for line in told.splitlines()]
            peak = PEAK.search(log.read_text(encoding="utf-8", errors="replace"))
            found = {
                "tokens_per_s": statistics.fmean(line["tokens_per_s"] for line in lines[DROPPED_STEPS:]),
                "peak_gib": float(peak[1]) if peak else None,
                "losses": [line["loss"] for line in lines],
                "seconds": time.perf_counter() - began,
            }
            self._finished(case).write_text(json.dumps(found), encoding="utf-8")

        return run

    def _train(self, case: Case, devices: list[str], out: Path, steps: int) -> Path:
        """One training through nemotron; its log. The checkpoint is removed."""
        told = self.host.nemotron(f"{case.kind}/megatron_bridge", devices, self._keys(case, out, steps))
        shutil.rmtree(out)
        return Path(told["log"])

    def _keys(self, case: Case, out: Path, steps: int) -> dict[str, Any]:
        layout = {"tp": 1, "pp": 1, "cp": 1, "ep": 1, "sp": False, **case.layout}
        data = {"dataset.dataset_root": self.work / "chat.jsonl"} if self.tiny else {
            "dataset.packed_sequence_specs.packed_train_data_path": self.work / "packed"
        }  # fmt: skip
        return {
            **{f"model.{SIZES[name]}": value for name, value in layout.items()},
            "hf_model_path": self.work / case.model,
            "checkpoint.pretrained_checkpoint": self.work / f"{case.model}-megatron" / "iter_0000000",
            "checkpoint.save": out,
            "checkpoint.save_optim": False,
            "checkpoint.save_interval": steps,
            "dataset.seq_length": SEQ_LENGTH,
            "dataset.do_validation": False,
            "dataset.num_workers": 2,
            "train.train_iters": steps,
            "train.eval_interval": steps,
            "train.global_batch_size": GLOBAL_BATCH,
            "optimizer.lr": 1e-4,
            "optimizer.min_lr": 1e-5,
            "scheduler.lr_warmup_iters": 2,
            "logger.log_interval": 1,
            **(TINY if self.tiny else {}),
            **data,
        }

    # --- overhead -----------------------------------------------------------------------------------------

    def overhead(self) -> None:
        """Three pairs, one after the other with nothing beside them; the order alternates."""
        ran = run_all([Task(f"pair {n}", 1, self._pair(n)) for n in (1, 2, 3)], self.host.gpus[:1])
        ratios = [pair["ratio"] for pair in ran.values() if isinstance(pair, dict)]
        median = statistics.median(ratios) if ratios else None
        self.write("overhead", {"median_ratio": median, "pairs": ran})

    def _pair(self, number: int) -> Callable[[list[str]], dict[str, float]]:
        def run(devices: list[str]) -> dict[str, float]:
            both = [("nemotron", self._ours), ("direct", self._direct)]
            speeds = {}
            for name, training in both if number % 2 else reversed(both):
                log = training(number, devices).read_text(encoding="utf-8", errors="replace")
                milliseconds = [float(found) for found in ITERATION.findall(log)][DROPPED_STEPS:]
                speeds[name] = GLOBAL_BATCH * SEQ_LENGTH * 1000 / statistics.fmean(milliseconds)
            return {**speeds, "ratio": speeds["nemotron"] / speeds["direct"]}

        return run

    def _ours(self, number: int, devices: list[str]) -> Path:
        log = self._train(CASES[0], devices, self.work / f"ours-{number}", self.overhead_steps)
        shutil.copyfile(log.with_name("config.yaml"), self.work / "resolved.yaml")
        return log

    def _direct(self, number: int, devices: list[str]) -> Path:
        """The library's own training with the config that nemotron resolved for the first pair; its log."""
        tree = yaml.safe_load((self.work / "resolved.yaml").read_text(encoding="utf-8"))
        name = f"direct-{number}"
        tree["checkpoint"]["save"] = str(self.work / name)
        config, log = self.work / f"{name}.yaml", self.work / f"{name}.log"
        config.write_text(yaml.safe_dump(tree), encoding="utf-8")
        if code := self.host.torchrun(devices, log, "train", str(config)):
            raise RuntimeError(f"the library ended with {code}\n{end_of(log)}")
        shutil.rmtree(self.work / name)
        return log

    # --- starts -------------------------------------------------------------------------------------------

    def starts(self) -> None:
        """Every listed layout in the library, beside what the checker says of it."""
        self.write("starts", megatron_starts.compare(self.host))


def _differences(ran: dict[str, Any]) -> dict[str, float]:
    """The largest relative difference of the first losses to those on one GPU, for each layout."""
    found = {}
    for case in CASES:
        alone, mine = ran.get("moe on 1" if case.model == "moe" else "sft on 1"), ran.get(case.name)
        if case.kind == "sft" and isinstance(alone, dict) and isinstance(mine, dict):
            pairs = list(zip(mine["losses"], alone["losses"], strict=True))[:COMPARED_STEPS]
            found[case.name] = max(abs(a - b) / b for a, b in pairs)
    return found


def main() -> None:
    parts = ("prepare", "layouts", "overhead", "starts")
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=(*parts, "all"))
    parser.add_argument("--work", type=Path, default=Path("output/megatron_gpu"))
    parser.add_argument("--results", type=Path, default=Path(os.environ.get("OUT", "output/megatron_gpu")))
    parser.add_argument("--tiny", action="store_true", help="a trial on the CPU, with models that are none")
    given = parser.parse_args()
    bench = Bench(given)
    for part in parts if given.part == "all" else (given.part,):
        getattr(bench, part)()


if __name__ == "__main__":
    main()
