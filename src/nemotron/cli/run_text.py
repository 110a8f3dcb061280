"""A run and its steps as data and as lines, the same for every command about runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nemotron.cli import complete
from nemotron.cli.output import short_path
from nemotron.config.secrets import redact

if TYPE_CHECKING:
    from nemotron.reporting.attempts import StepReport
    from nemotron.reporting.runs import RunReport

RunName = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run's id, a part of it that fits no other, or `last`.",
        autocompletion=complete.run_ids,
    ),
]


def run_as_dict(report: RunReport) -> dict[str, Any]:
    return {
        "id": report.run.id,
        "name": report.name,
        "started": report.started.isoformat() if report.started else None,
        "status": report.status,
        "seconds": round(report.seconds, 3),
        "done": report.done,
        "total": len(report.steps),
        "folder": str(report.run.folder),
    }


def step_as_dict(step: StepReport) -> dict[str, Any]:
    return {
        "name": step.name,
        "step": step.step,
        "status": step.status,
        "why": redact(step.why),
        "seconds": round(step.seconds, 3),
        "progress": step.progress,
        "artifacts": step.artifacts,
        "problems": step.diagnostics,
        "recoveries": step.recoveries,
        "log": str(step.attempt.log) if step.attempt and step.attempt.log.exists() else None,
    }


def when(report: RunReport) -> str:
    """When a run began, by the clock on the wall."""
    return f"{report.started.astimezone():%Y-%m-%d %H:%M:%S}" if report.started else "?"


def seconds_text(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {rest} s"


def step_lines(steps: list[StepReport]) -> list[str]:
    """One line for each step: its name, how it ended or how far it is, and why."""
    wide = max((len(step.name) for step in steps), default=0)
    return [f"  {step.name:<{wide}}  {_state(step)}" for step in steps]


def _state(step: StepReport) -> str:
    parts = [step.status]
    if step.status in ("done", "running", "failed", "interrupted") and step.seconds:
        after = "for" if step.status == "running" else "in" if step.status == "done" else "after"
        parts.append(f"{after} {seconds_text(step.seconds)}")
    if step.progress is not None and step.status in ("running", "interrupted"):
        parts.append(f"at {_progress(step.progress)}")
    return " ".join(parts) + (f": {redact(step.why)}" if step.why else "")


def _progress(line: dict[str, Any]) -> str:
    """`step 3/10, loss 0.5`, as far as the job told of it."""
    text = f"{line.get('unit', 'step')} {line.get('step')}"
    text += f"/{line['total']}" if line.get("total") else ""
    loss = line.get("loss")
    return text + (f", loss {loss:.4f}" if isinstance(loss, float | int) else "")


def path_lines(step: StepReport) -> list[str]:
    """The artifacts and the log of a step."""
    lines = [f"      {port}  {short_path(path)}" for port, path in step.artifacts.items()]
    log: Path | None = step.attempt.log if step.attempt else None
    return lines + ([f"      log  {short_path(log)}"] if log is not None and log.exists() else [])
