"""`make quickstart`, once for all tests that read what it made."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
OUTPUT = REPOSITORY / "output" / "quickstart"


@dataclass(frozen=True)
class QuickStart:
    """What `make quickstart` printed and left."""

    output: Path
    results: dict[str, Any]
    printed: str
    seconds: float

    def model(self, name: str) -> Path:
        return Path(self.results["models"][name]["path"])


def make_quickstart() -> QuickStart:
    """Run it, one test process at a time; what it finished before is skipped."""
    began = time.monotonic()
    OUTPUT.parent.mkdir(exist_ok=True)
    with open(OUTPUT.parent / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(
            ["make", "quickstart"],
            cwd=REPOSITORY,
            env={**os.environ, "COLUMNS": "100"},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=1800,
        )
    assert done.returncode == 0, done.stdout[-6000:]
    results = json.loads((OUTPUT / "results.json").read_text(encoding="utf-8"))
    return QuickStart(OUTPUT, results, done.stdout, time.monotonic() - began)
