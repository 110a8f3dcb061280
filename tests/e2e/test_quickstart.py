"""`make quickstart`: it trains for real, and says what came out."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml
from quick import REPOSITORY, QuickStart

PIPELINE = REPOSITORY / "examples" / "quickstart" / "pipeline.yaml"
pytestmark = pytest.mark.training


def test_the_held_out_loss_falls_by_a_third_from_the_base_to_the_tuned_model(quickstart: QuickStart) -> None:
    models = quickstart.results["models"]
    assert models["sft"]["loss"] <= 0.7 * models["base"]["loss"]


def test_the_merged_adapter_is_better_than_the_base(quickstart: QuickStart) -> None:
    models = quickstart.results["models"]
    assert models["merged"]["loss"] < 0.8 * models["base"]["loss"]


def test_it_ends_with_a_table_and_the_paths(quickstart: QuickStart) -> None:
    for words in ("perplexity", "accuracy", "pretrained, then SFT", "LoRA"):
        assert words in quickstart.printed
    for name in ("base", "sft", "merged"):
        assert quickstart.model(name).joinpath("config.json").is_file()


@pytest.mark.parametrize("step", ["pretrain/automodel", "sft/automodel", "peft/automodel"])
def test_the_training_loss_falls(quickstart: QuickStart, step: str) -> None:
    lines = _progress(quickstart, step)
    assert [line["step"] for line in lines] == list(range(1, lines[-1]["total"] + 1))
    first = sum(line["loss"] for line in lines[:5]) / 5
    last = sum(line["loss"] for line in lines[-5:]) / 5
    assert last < first - 0.2


def test_artifacts_carry_their_facts(quickstart: QuickStart) -> None:
    base = _record(Path(quickstart.results["pretrained"]))
    sft, adapter = _record(quickstart.model("sft")), _record(Path(quickstart.results["adapter"]))
    merged = _record(quickstart.model("merged"))
    assert adapter["facts"]["base_model"] == base["facts"]["model"]
    for made in (sft, adapter, merged):
        assert made["facts"]["tokenizer"] == base["facts"]["tokenizer"]
        assert made["facts"]["chat_template"] == base["facts"]["chat_template"]
    assert {i["port"]: i["digest"] for i in sft["inputs"]}["base"] == base["digest"]
    assert len({m["facts"]["model"] for m in (base, sft, merged)}) == 3


@pytest.mark.parametrize("name", ["sft", "merged"])
def test_the_base_tokenizer_is_kept_byte_for_byte(quickstart: QuickStart, name: str) -> None:
    for file in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"):
        assert (quickstart.model(name) / file).read_bytes() == (quickstart.model("base") / file).read_bytes()


def test_a_second_run_runs_nothing_again(quickstart: QuickStart) -> None:
    before = _attempts()
    again = subprocess.run(
        ["make", "quickstart"], cwd=REPOSITORY, text=True, capture_output=True, timeout=300
    )
    assert again.returncode == 0, again.stderr[-3000:]
    assert _attempts() == before
    assert again.stderr.count("| Skipped:") == 8


def test_the_pipeline_has_what_the_planner_would_make_of_the_same_data(quickstart: QuickStart) -> None:
    plan = yaml.safe_load((quickstart.output / "plan.yaml").read_text(encoding="utf-8"))
    pipeline = yaml.safe_load(PIPELINE.read_text(encoding="utf-8"))
    planned = [step["step"] for step in plan["steps"].values()]
    assert planned == ["data_prep/pretrain_prep", "pretrain/automodel", "sft/automodel", "eval/model_eval"]
    assert set(planned) <= {step["step"] for step in pipeline["steps"].values()}
    assert f"planned: {' → '.join(planned)}" in quickstart.printed


def test_another_learning_rate_would_run_again_exactly_what_depends_on_it(quickstart: QuickStart) -> None:
    pipeline = yaml.safe_load(PIPELINE.read_text(encoding="utf-8"))
    pipeline["steps"]["sft"]["set"] = {"optimizer.lr": 1e-4}
    file = PIPELINE.with_name("changed.yaml")
    file.write_text(yaml.safe_dump(pipeline), encoding="utf-8")
    try:
        argv = ["uv", "run", "--quiet", "nemotron", "pipeline", "run", str(file), "--dry-run", "--json"]
        environment = {**os.environ, "NEMOTRON_QUICKSTART": str(quickstart.output)}
        told = subprocess.run(
            argv, cwd=REPOSITORY, env=environment, text=True, capture_output=True, timeout=300
        )
    finally:
        file.unlink()
    assert told.returncode == 0, told.stderr
    steps = {step["name"]: (step["fate"], step["why"]) for step in json.loads(told.stdout)["steps"]}
    assert {name: why for name, (fate, why) in steps.items() if fate == "run"} == {
        "sft": "changed: optimizer.lr",
        "evaluate_sft": "sft would run",
    }
    assert {fate for fate, _ in steps.values()} == {"run", "skipped"}


def test_the_tuned_model_loads_elsewhere_and_answers(quickstart: QuickStart, automodel_python: Path) -> None:
    program = """
import sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
folder = sys.argv[1]
tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
messages = [{"role": "user", "content": "What does os.path.join do?"}]
form = {"add_generation_prompt": True, "return_tensors": "pt", "return_dict": True}
prompt = tokenizer.apply_chat_template(messages, **form)
answer = model.generate(**prompt, max_new_tokens=12, do_sample=False)
assert answer.shape[1] > prompt["input_ids"].shape[1]
assert all(torch.isfinite(p).all() for p in model.parameters())
print(tokenizer.decode(answer[0]))
"""
    done = subprocess.run(
        [automodel_python, "-c", program, quickstart.model("sft")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "os.path.join" in done.stdout


def _attempts() -> list[Path]:
    return sorted((REPOSITORY / ".nemotron" / "runs").glob("*/*/*/command.json"))


def _progress(quickstart: QuickStart, step: str) -> list[dict[str, float]]:
    """The progress lines of the attempt that made the quick start's artifact of this step."""
    name = {"pretrain/automodel": "pretrained", "peft/automodel": "adapter"}.get(step)
    path = Path(quickstart.results[name]) if name else quickstart.model("sft")
    producer = _record(path)["producer"]
    in_pipeline = {"pretrain/automodel": "pretrain", "peft/automodel": "lora"}.get(step, "sft")
    folder = REPOSITORY / ".nemotron" / "runs" / producer["run"] / in_pipeline / producer["attempt"]
    return [json.loads(line) for line in (folder / "progress.jsonl").read_text(encoding="utf-8").splitlines()]


def _record(artifact: Path) -> dict:
    return json.loads((artifact / "artifact.json").read_text(encoding="utf-8"))
