"""Real training on a real Slurm: over two nodes, and preempted in its middle, with a notice and without."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from quick import QuickStart

from execution.slurm.conftest import Site

pytestmark = pytest.mark.training
STEPS = 24
TRAIN = (
    *("steps", "run", "sft/automodel", "-c", "tiny", "--quiet", "--yes", "lr_scheduler.lr_warmup_steps=2"),
    *("step_scheduler.ckpt_every_steps=8", f"step_scheduler.val_every_steps={STEPS}"),
)


def attempt_of(site: Site) -> Path:
    """The one attempt, on the cluster's side."""
    (found,) = site.remote.glob("2*/sft-automodel/1")
    return found


def steps_of(attempt: Path) -> list[int]:
    file = attempt / "progress.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return [json.loads(line)["step"] for line in lines if line.endswith("}")]


def trained(attempt: Path) -> list[int]:
    """Every step that the library took, counted from 1, those that were done again as often as that."""
    log = (attempt / "log").read_text(encoding="utf-8", errors="replace")
    return [int(step) + 1 for step in re.findall(r"\| root \| step (\d+) \|", log)]


def test_two_nodes_train_one_model(site: Site, quickstart: QuickStart) -> None:
    sizes = ("step_scheduler.local_batch_size=8", "step_scheduler.max_steps=3")
    site.nemotron(*TRAIN, *sizes, "--run", "here", "--nodes", "2", NEMOTRON_QUICKSTART=str(quickstart.output))
    attempt = attempt_of(site)
    assert steps_of(attempt) == [1, 2, 3]
    assert "World size: 2" in (attempt / "log").read_text(encoding="utf-8", errors="replace")
    record = json.loads((attempt / "records" / "checkpoint_hf.json").read_text(encoding="utf-8"))
    assert record["facts"]["iteration"] == 3
    assert any(file["path"].endswith(".safetensors") for file in record["files"])


@pytest.mark.parametrize("has_notice", [True, False], ids=["with notice", "without notice"])
def test_preempted_training_goes_on_and_its_curve_has_each_step_once(
    site: Site, quickstart: QuickStart, has_notice: bool
) -> None:
    profile = "spot" if has_notice else "here"
    site.nemotron(
        *(*TRAIN, f"step_scheduler.max_steps={STEPS}", "--batch", profile),
        NEMOTRON_QUICKSTART=str(quickstart.output),
    )
    attempt = site.wait(lambda: any(site.remote.glob("2*/sft-automodel/1")) and attempt_of(site), "attempt")
    site.wait(lambda: len(steps_of(attempt)) >= 10, "tenth step")
    if has_notice:
        hurry = ("sbatch", "-p", "urgent", "-N", "4", "--exclusive", "-o", "/dev/null", "--wrap", "true")
        site.cluster.command(*hurry)
    else:
        site.cluster.fail_node("n1")
    stopped_at = len(steps_of(attempt))
    site.wait_for_empty_queue()
    site.cluster.repair_node("n1")
    assert site.status(code=0) == {"sft-automodel": "done"}
    assert steps_of(attempt) == list(range(1, STEPS + 1))
    repeated = [step for step in set(trained(attempt)) if trained(attempt).count(step) > 1]
    if has_notice:
        assert repeated == []
    else:
        assert repeated == list(range(9, stopped_at + 1))
    home = next(iter(site.runs())) / "sft-automodel" / "1"
    assert steps_of(home) == list(range(1, STEPS + 1))
