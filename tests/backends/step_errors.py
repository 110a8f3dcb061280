"""The known errors of a step's manifest, matched against what a failed job prints."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

STEPS = Path(__file__).resolve().parents[2] / "steps"


def recognised(step: str, error: dict[str, Any]) -> list[str]:
    """The ids of the step's known errors that match what `job.run` prints for an error."""
    manifest = tomllib.loads((STEPS / step / "step.toml").read_text(encoding="utf-8"))
    printed = f"{error['code']}: {error['summary']}"
    return [known["id"] for known in manifest["errors"] if re.search(known["match"], printed)]
