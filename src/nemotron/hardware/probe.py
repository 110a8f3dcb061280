"""What this machine has: GPUs, cores, memory. Asks `nvidia-smi` and the kernel; needs no training library."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, replace
from functools import lru_cache


@dataclass(frozen=True)
class Gpu:
    """One GPU: its name and its memory in MiB, as the driver reports them, and what CUDA is to call it by."""

    name: str
    memory_mib: int
    device: str = ""


@lru_cache(maxsize=1)
def gpus() -> tuple[Gpu, ...]:
    """The GPUs that a job of ours would see: none without a driver, or hidden by CUDA_VISIBLE_DEVICES."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    query = [program, "--query-gpu=uuid,name,memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    found = [_parse(line) for line in answer.splitlines() if line.strip()]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    listed = ",".join(map(str, range(len(found)))) if visible is None else visible
    return tuple(_visible(found, listed))


def cores() -> int:
    """The CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _visible(found: list[tuple[str, Gpu]], listed: str) -> list[Gpu]:
    """The GPUs that CUDA_VISIBLE_DEVICES lists, by number or by the start of an id.

    As CUDA does, the first entry that names no GPU, such as -1, ends the list. A slice of a GPU (`MIG-…`)
    counts as one.
    """
    chosen: list[Gpu] = []
    for entry in (part.strip() for part in listed.split(",")):
        if entry.isdecimal():
            matches = found[int(entry) : int(entry) + 1]
        elif entry.startswith("MIG-"):
            matches = found[:1]
        else:
            matches = [each for each in found if entry and each[0].startswith(entry)]
        if len(matches) != 1:
            break
        chosen.append(replace(matches[0][1], device=entry))
    return chosen


def _parse(line: str) -> tuple[str, Gpu]:
    """The id of a GPU, and the GPU."""
    identity, _, rest = line.partition(",")
    name, _, memory = rest.rpartition(",")
    return identity.strip(), Gpu(name.strip(), int(memory) if memory.strip().isdecimal() else 0)
