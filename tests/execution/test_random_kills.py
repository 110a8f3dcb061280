"""A pipeline's runner, its jobs or both are killed at any time; then it is run again."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from pathlib import Path

from execution.crashes import a_project, assert_recovers
from nemotron.execution import processes

RANDOM_KILLS = 200


def test_kills_at_any_time_of_the_runner_its_jobs_or_both(tmp_path: Path) -> None:
    chance = random.Random(20)
    for number in range(RANDOM_KILLS):
        project = a_project(tmp_path / f"random-{number}")
        runner = project.start()
        time.sleep(chance.uniform(0.0, 0.9))
        victims = chance.choice(["runner", "job", "both"])
        if victims != "runner":
            for mark in project.marks():
                for pid in processes.marked(mark):
                    _kill(pid)
        if victims != "job":
            _kill(runner)
        os.waitpid(runner, 0)
        assert_recovers(project)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
