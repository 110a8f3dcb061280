"""Real training that is killed in the middle: the runner, the job, or both; the same command finishes it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from quick import QuickStart

from nemotron.artifacts.record import is_complete, read_record
from nemotron.execution import processes

pytestmark = pytest.mark.training
STEPS = 24
TRAIN = (
    *("steps", "run", "sft/automodel", "-c", "tiny", "--quiet", f"step_scheduler.max_steps={STEPS}"),
    *("step_scheduler.ckpt_every_steps=8", "step_scheduler.val_every_steps=24"),
    "lr_scheduler.lr_warmup_steps=2",
)
DEADLINE_SECONDS = 120.0


def start(project: Path, quickstart: QuickStart) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "NEMOTRON_QUICKSTART": str(quickstart.output)}
    argv = [sys.executable, "-m", "nemotron", *TRAIN]
    with open(project / "printed", "ab") as printed:
        return subprocess.Popen(argv, cwd=project, env=environment, stdout=printed, stderr=printed)


def attempts(project: Path) -> list[Path]:
    return sorted((project / ".nemotron" / "runs").glob("*/*/*/command.json"))


def marks(project: Path) -> list[str]:
    told = [json.loads(file.read_text(encoding="utf-8")) for file in attempts(project)]
    return [each["attempt"] for each in told]


def steps_of(attempt: Path) -> list[int]:
    file = attempt.parent / "progress.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return [json.loads(line)["step"] for line in lines if line.endswith("}")]


def wait_for_step(project: Path, step: int) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if any(step in steps_of(attempt) for attempt in attempts(project)):
            return
        time.sleep(0.1)
    pytest.fail((project / "printed").read_text(encoding="utf-8")[-2000:])


@pytest.mark.parametrize("victims", ["the runner", "the job", "both"])
def test_killed_training_is_finished_by_the_same_command(
    project: Path, quickstart: QuickStart, victims: str
) -> None:
    runner = start(project, quickstart)
    wait_for_step(project, 10)
    if victims != "the job":
        runner.kill()
    if victims != "the runner":
        for pid in processes.marked(marks(project)[0]):
            os.kill(pid, signal.SIGKILL)
    assert runner.wait(timeout=60) != 0
    again = start(project, quickstart)
    assert again.wait(timeout=DEADLINE_SECONDS) == 0, (project / "printed").read_text(encoding="utf-8")[
        -3000:
    ]
    assert [mark for mark in marks(project) if processes.marked(mark)] == []
    # It went on from the checkpoint of step 8 instead of beginning anew, and no step is there twice.
    last = steps_of(attempts(project)[-1])
    assert last == list(range(last[0], STEPS + 1))
    assert last[0] > 1
    made = next((project / ".nemotron" / "artifacts").glob("*/LATEST/model/consolidated"))
    record = read_record(made)
    assert record is not None
    assert is_complete(made, record, verify=True)
