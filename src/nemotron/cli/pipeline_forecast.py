"""What `nemotron pipeline run --dry-run` says once everything was checked: what would run, and why."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from nemotron.cli.output import print_json

if TYPE_CHECKING:
    from nemotron.diagnostic import Diagnostic
    from nemotron.execution.foresight import Foreseen


def tell_forecast(
    file: str, foreseen: list[Foreseen], found: list[Diagnostic], code: int, *, as_json: bool
) -> None:
    """Print the forecast; where the check failed there is none, and the problems were printed."""
    if as_json:
        steps = [asdict(each) for each in foreseen]
        print_json({"file": file, "dry_run": True, "steps": steps, "exit_code": code}, found)
    elif not code:
        wide = max((len(each.name) for each in foreseen), default=0)
        for each in foreseen:
            word = "would run" if each.fate == "run" else each.fate
            print(f"  {each.name:<{wide}}  {word}: {each.why}")
        print("The dry run passed: nothing was run.")
