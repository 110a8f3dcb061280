"""A job that the kernel kills for memory: really, in a control group with too little of it."""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from catalogs.helpers import attempts, start_nemotron

LIMIT = str(256 << 20)
ROOT = Path("/sys/fs/cgroup")


def own_groups() -> Iterator[tuple[Path, str]]:
    """Where this process's memory is accounted for, and the name of the limit's file: version 1, then 2."""
    for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            yield ROOT / "memory" / path.lstrip("/"), "memory.limit_in_bytes"
        elif not controllers:
            yield ROOT / path.lstrip("/"), "memory.max"


@pytest.fixture
def small_group() -> Iterator[Path]:
    """A control group with 256 MiB of memory and no swap."""
    reasons = []
    for parent, limit in own_groups():
        group = parent / f"nemotron-{uuid.uuid4().hex[:8]}"
        try:
            group.mkdir()
        except OSError as problem:
            reasons.append(str(problem))
            continue
        try:
            (group / limit).write_text(LIMIT, encoding="utf-8")
        except OSError as problem:
            reasons.append(str(problem))
            group.rmdir()
            continue
        for no_swap, value in (("memory.memsw.limit_in_bytes", LIMIT), ("memory.swap.max", "0")):
            with contextlib.suppress(OSError):
                (group / no_swap).write_text(value, encoding="utf-8")
        yield group
        group.rmdir()
        return
    pytest.skip(f"the kernel refuses a control group: {'; '.join(reasons)}")


def test_a_job_that_is_killed_for_memory_says_so(small_group: Path, fake_steps: Path, project: Path) -> None:
    def join() -> None:
        (small_group / "cgroup.procs").write_text(str(os.getpid()), encoding="utf-8")

    running = start_nemotron("steps", "run", "test/breaks", "how=eats_memory", "--json", preexec_fn=join)
    stdout, _ = running.communicate(timeout=120)
    told = json.loads(stdout)
    assert (running.returncode, told["exit_code"]) == (1, 1)
    problem = told["diagnostics"][0]
    assert problem["code"] == "NMT501"
    assert "the kernel reports that it ran out of memory" in problem["summary"]
    assert "lower the batch size" in problem["fix"]
    assert told["log"] == str(attempts(project)[0] / "log")
