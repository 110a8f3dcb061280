"""Megatron checkpoints of HF bases, converted once and kept: an adapter trains beside one.

They lie in the project's `.nemotron/cache/megatron/`, by the digest of the base's files.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

from nemotron.backends.job import Job, JobError
from nemotron.backends.megatron import iterations
from nemotron.backends.megatron.start import Start
from nemotron.files import project_root

_KEPT_IN = Path(".nemotron") / "cache" / "megatron"
_ITERATION = "iter_0000000"
_BLOCK = 1 << 22
_POLL_SECONDS = 1.0


def converted(job: Job, base: Path, chosen: Start) -> Start:
    """The start with a Megatron checkpoint of the base. The main process converts it; the others wait."""
    if not job.config.get("load_hf_weights", True):
        raise JobError(
            "NMT848",
            "an adapter needs a base with weights: load_hf_weights is false",
            fix="load_hf_weights=true",
        )
    kept = project_root(job.folder) / _KEPT_IN / digest(base)[:16]
    checkpoint = kept / _ITERATION
    if job.is_main and iterations.missing_from(checkpoint):
        _convert(base, kept, remote_code=bool(job.config.get("trust_remote_code")))
    while iterations.missing_from(checkpoint):
        time.sleep(_POLL_SECONDS)
    words = chosen.words if chosen.iteration else f"{chosen.words}, converted once in {kept}"
    return dataclasses.replace(chosen, words=words, pretrained=checkpoint, hf_weights=False)


def digest(base: Path) -> str:
    """The digest of what a conversion reads: the config and the weights."""
    whole = hashlib.sha256()
    for file in sorted([base / "config.json", *base.glob("*.safetensors")]):
        whole.update(file.name.encode())
        with open(file, "rb") as stream:
            for block in iter(lambda: stream.read(_BLOCK), b""):
                whole.update(block)
    return whole.hexdigest()


def _convert(base: Path, kept: Path, *, remote_code: bool) -> None:
    """Convert in a process of its own, which is alone with the model, and rename what it made into place."""
    new = kept.with_name(f"{kept.name}.new-{os.getpid()}")
    new.parent.mkdir(parents=True, exist_ok=True)
    print(f"converting {base} once, into {kept}", flush=True)
    own = {name: value for name, value in os.environ.items() if name not in _OF_THE_LAUNCHER}
    argv = [sys.executable, "-m", "nemotron.backends.megatron.convert_base", str(base), str(new)]
    done = subprocess.run([*argv, *(["--trust-remote-code"] if remote_code else [])], env=own)
    if done.returncode:
        raise JobError(
            "NMT849", f"the base was not converted: the conversion ended with {done.returncode}", file=base
        )
    if iterations.missing_from(kept / _ITERATION):
        new.rename(kept)


# What torchrun tells its workers of each other: the conversion is a world of its own.
_OF_THE_LAUNCHER = {
    "RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_RANK", "GROUP_WORLD_SIZE", "ROLE_RANK",
    "ROLE_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RUN_ID", "TORCHELASTIC_USE_AGENT_STORE",
}  # fmt: skip
