"""Megatron-Bridge for real, on the CPU: pretraining, all weights, an adapter; stopped, killed, resumed.

The quick start's model is trained on the quick start's data. Each process takes half a minute, most of it for
imports, so each run is looked at from several sides.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from quick import QuickStart

from nemotron.artifacts.record import read_record
from nemotron.execution import processes

pytestmark = pytest.mark.training
STEPS = 16
SHORT = {"train.train_iters": STEPS, "train.eval_interval": STEPS, "scheduler.lr_warmup_iters": 2}
DEADLINE_SECONDS = 240.0
# The loss of an HF model on the records that the first step trains on, as the library masks and cuts them.
HF_LOSS = """
import json, sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
folder, data, count, length = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
losses = tokens = 0
for line in open(data, encoding="utf-8").readlines()[:count]:
    form = {"tokenize": True, "return_dict": True, "return_assistant_tokens_mask": True}
    chat = tokenizer.apply_chat_template(json.loads(line)["messages"], **form)
    ids, mask = chat["input_ids"], chat["assistant_masks"]
    assert ids[-1] == tokenizer.eos_token_id
    inputs, labels, counts = ids[:-1][:length], ids[1:][:length], mask[1:][:length]
    counts = torch.tensor(counts if any(counts) else [1] * len(inputs))
    with torch.no_grad():
        logits = model(torch.tensor([inputs])).logits[0]
    each = torch.nn.functional.cross_entropy(logits, torch.tensor(labels), reduction="none")
    losses, tokens = losses + (each * counts).sum().item(), tokens + counts.sum().item()
print(losses / tokens)
"""


@dataclass(frozen=True)
class Project:
    """A project folder and the command line in it."""

    folder: Path
    quickstart: Path

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "NEMOTRON_QUICKSTART": str(self.quickstart), "NO_COLOR": "1"}
        argv = [sys.executable, "-m", "nemotron", *arguments]
        with open(self.folder / "printed", "ab") as printed:
            return subprocess.Popen(argv, cwd=self.folder, env=environment, stdout=printed, stderr=printed)

    def finish(self, *arguments: str) -> str:
        """Run a command to its end; all that the project has printed so far."""
        code = self.start(*arguments).wait(timeout=DEADLINE_SECONDS)
        printed = (self.folder / "printed").read_text(encoding="utf-8")
        assert code == 0, printed[-4000:]
        return printed

    def attempts(self, step: str) -> list[Path]:
        return sorted(
            (self.folder / ".nemotron" / "runs").glob(f"*/{step}/*/"), key=lambda a: a.stat().st_ctime
        )

    def artifact(self, pattern: str) -> Path:
        (found,) = (self.folder / ".nemotron" / "artifacts").glob(pattern)
        return found

    def wait_for(self, step: str, number: int) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            if any(number in steps_of(attempt) for attempt in self.attempts(step)):
                return
            time.sleep(0.05)
        pytest.fail((self.folder / "printed").read_text(encoding="utf-8")[-3000:])


@pytest.fixture(scope="module")
def base(quickstart: QuickStart) -> Path:
    """What the quick start pretrained: unlike random weights, one can see whether these were loaded."""
    return Path(quickstart.results["pretrained"])


@pytest.fixture
def own(project: Path, quickstart: QuickStart, megatron_python: Path) -> Project:
    return Project(project, quickstart.output)


def lines_of(attempt: Path) -> list[dict[str, Any]]:
    file = attempt / "progress.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return [json.loads(line) for line in lines if line.endswith("}")]


def steps_of(attempt: Path) -> list[int]:
    return [line["step"] for line in lines_of(attempt)]


def keys(**more: Any) -> list[str]:
    return [f"{key}={value}" for key, value in {**SHORT, **more}.items()]


def hf_loss(python: Path, model: Path, data: Path) -> float:
    argv = [python, "-W", "ignore", "-c", HF_LOSS, model, data, "16", "96"]
    done = subprocess.run(argv, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


def test_a_planned_pipeline_is_stopped_with_notice_and_finished(
    own: Project, base: Path, megatron_python: Path
) -> None:
    data = own.quickstart / "data" / "chat_train.jsonl"
    wish = ["--have", str(data), "--have", str(base), "--want", "checkpoint_hf", "--gpus", "0"]
    settings = [f"--set=sft.{key}" for key in keys(**{"checkpoint.save_interval": 4})]
    told = own.finish("pipeline", "plan", *wish, "--library", "megatron_bridge", "-o", "plan.yaml", *settings)
    assert "Conversations that are not packed" in told
    runner = own.start("pipeline", "run", "plan.yaml", "--quiet")
    own.wait_for("sft", 6)
    runner.send_signal(signal.SIGTERM)
    assert runner.wait(timeout=60) != 0
    stopped = own.attempts("sft")[0]
    made = own.artifact("sft-megatron_bridge-*")
    saved = (made / "latest_checkpointed_iteration.txt").read_text(encoding="utf-8")
    # The checkpoint was taken at the notice, between the regular ones or at one of them.
    assert int(saved) == steps_of(stopped)[-1] < STEPS
    own.finish("pipeline", "run", "plan.yaml", "--quiet")
    lines = lines_of(stopped) + lines_of(own.attempts("sft")[-1])
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1))
    assert lines[0]["loss"] == pytest.approx(hf_loss(megatron_python, base, data), abs=1e-3)
    assert sum(line["loss"] for line in lines[-3:]) / 3 < lines[0]["loss"] - 0.2
    assert (made / "LATEST").resolve().name == f"iter_{STEPS:07d}"
    exported = own.artifact("convert-megatron_to_hf-*")
    own.finish("steps", "run", "eval/model_eval", "-c", "tiny", f"model.path={exported}", "--quiet")
    report = own.artifact("eval-model_eval-*") / "results.json"
    results = json.loads(report.read_text(encoding="utf-8"))["results"]
    (loss,) = (r["value"] for r in results if (r["task"], r["metric"]) == ("stdlib_chat", "loss"))
    assert loss < lines[0]["loss"] - 0.2


def test_a_killed_adapter_training_goes_on_from_its_checkpoint(own: Project, base: Path) -> None:
    arguments = ["steps", "run", "peft/megatron_bridge", "-c", "tiny", "--quiet", f"hf_model_path={base}"]
    arguments += keys(**{"checkpoint.save_interval": 4})
    runner = own.start(*arguments)
    own.wait_for("peft-megatron_bridge", 6)
    mark = json.loads((own.attempts("peft-megatron_bridge")[0] / "command.json").read_text())["attempt"]
    for pid in processes.marked(mark):
        os.kill(pid, signal.SIGKILL)
    assert runner.wait(timeout=60) != 0
    own.finish(*arguments)
    first, second = (lines_of(attempt) for attempt in own.attempts("peft-megatron_bridge"))
    assert [line["step"] for line in second] == list(range(second[0]["step"], STEPS + 1))
    assert second[0]["step"] in (5, 9)
    assert second[-1]["loss"] < first[0]["loss"] - 0.2
    # The base was converted once, by the run that was killed.
    assert len(list((own.folder / ".nemotron" / "cache" / "megatron").iterdir())) == 1
    log = (own.attempts("peft-megatron_bridge")[-1] / "log").read_text(encoding="utf-8")
    assert "goes on from iteration" in log
    adapter = own.artifact("peft-megatron_bridge-*") / "adapter"
    told = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    assert (told["r"], told["base_model_name_or_path"]) == (16, str(base))
    assert {"q_proj", "v_proj", "down_proj"} < set(told["target_modules"])
    mine, of_base = read_record(adapter), read_record(base)
    assert mine is not None
    assert of_base is not None
    assert mine.facts["base_model"] == of_base.facts["model"]
    assert mine.facts["iteration"] == STEPS


def test_pretraining_lowers_the_loss_from_random_weights(own: Project, base: Path) -> None:
    record = read_record(base)
    assert record is not None
    (text,) = (entry.path for entry in record.inputs if entry.port == "binidx")
    step = ["steps", "run", "pretrain/megatron_bridge", "-c", "tiny", "--quiet", f"dataset.data_paths={text}"]
    few = {"train.eval_iters": 1, "checkpoint.save_interval": STEPS, "load_hf_weights": "false"}
    own.finish(*step, *keys(**few))
    lines = lines_of(own.attempts("pretrain-megatron_bridge")[0])
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1))
    assert lines[-1]["loss"] < lines[0]["loss"] - 0.5
    assert all(line["tokens_per_s"] > 0 for line in lines)
