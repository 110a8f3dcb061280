"""A few records of an artifact, read by a program in the library's Python. Starts that process and waits."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from nemotron.artifacts.record import Artifact
from nemotron.catalog.catalog import default_catalog
from nemotron.diagnostic import Failure, error
from nemotron.execution.command import link_code
from nemotron.execution.interpreter import interpreter_of
from nemotron.libraries import environment

# Artifact type → the module that shows what is in it.
_READERS = {"packed_parquet": "nemotron.backends.packs_sample"}


def sample(path: Path, record: Artifact, count: int) -> dict[str, Any]:
    """What the reader of the artifact's type tells. Failure NMT294, or NMT601 without the library."""
    if record.type not in _READERS:
        told = ", ".join(sorted(_READERS))
        raise Failure(
            error("NMT294", f"samples are shown of {told}, not of {record.type}", fix="leave out --sample")
        )
    step = default_catalog().step(record.producer.step)
    if step.manifest.step.library is not None:
        environment.require(step.manifest.step.library)
    interpreter = interpreter_of(step.manifest.step.library)
    with tempfile.TemporaryDirectory() as folder:
        code = link_code(Path(folder))
        done = subprocess.run(
            [interpreter.python, "-m", _READERS[record.type], path, str(count)],
            env={**os.environ, **interpreter.variables, "PYTHONPATH": str(code)},
            capture_output=True,
            text=True,
        )
    if done.returncode:
        reason = done.stderr.strip().rpartition("\n")[2]
        raise Failure(
            error("NMT295", f"{path} cannot be read: {reason}", fix="run the step that made it again")
        )
    found: dict[str, Any] = json.loads(done.stdout)
    return found
