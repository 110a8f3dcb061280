"""What this machine has: GPUs, cores, memory. Asks `nvidia-smi` and the kernel; needs no training library."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class Gpu:
    """One GPU: its name and its memory in MiB, as the driver reports them."""

    name: str
    memory_mib: int


@lru_cache(maxsize=1)
def gpus() -> tuple[Gpu, ...]:
    """The GPUs that a job of ours would see: none without a driver, or with an empty CUDA_VISIBLE_DEVICES."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    query = [program, "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    found = tuple(_parse(line) for line in answer.splitlines() if line.strip())
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return found
    return found[: len([index for index in visible.split(",") if index.strip()])]


def cores() -> int:
    """The CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _parse(line: str) -> Gpu:
    name, _, memory = line.rpartition(",")
    return Gpu(name.strip(), int(memory) if memory.strip().isdigit() else 0)
