"""A pipeline's run as it goes on: one line for each step on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemotron.cli.output import print_diagnostics, short_path
from nemotron.cli.progress import LiveEvents
from nemotron.cli.progress_text import ProgressText
from nemotron.cli.run_text import seconds_text
from nemotron.config.secrets import redact

if TYPE_CHECKING:
    from rich.console import RenderableType

    from nemotron.execution.crew import Events
    from nemotron.execution.outputs import Made
    from nemotron.execution.pipeline_result import StepResult
    from nemotron.execution.pipeline_runner import PipelineEvents
    from nemotron.execution.store import Attempt
    from nemotron.planning.pipeline import PipelineStep

_STYLES = {"done": "green", "skipped": "cyan", "running": "bold", "failed": "red", "interrupted": "yellow"}


@contextmanager
def pipeline_view(steps: list[PipelineStep], *, quiet: bool) -> Iterator[PipelineEvents]:
    """What shows a run on stderr: the live view if that is a terminal, plain lines if not."""
    if not sys.stderr.isatty():
        yield PlainView(steps, quiet=quiet)
        return
    view = LiveView(steps, quiet=quiet)
    with view.shown():
        yield view
    view.explain_ends()


class PlainView:
    """For logs: which step begins, its lines after its name, and what went wrong."""

    def __init__(self, steps: list[PipelineStep], *, quiet: bool) -> None:
        self.quiet = quiet
        self.numbers = {step.name: f"[{n}/{len(steps)}]" for n, step in enumerate(steps, start=1)}
        self.begun: set[str] = set()

    def begins(self, step: PipelineStep) -> Events:
        """Say so, and print what the step tells."""
        self._head(step)
        return LiveEvents(sys.stderr, quiet=self.quiet, label=f"{step.name} | ")

    def ended(self, step: PipelineStep, result: StepResult) -> None:
        """Explain an end that was not good."""
        if step.name not in self.begun and result.diagnostics:
            self._head(step)
        explain(result)

    def _head(self, step: PipelineStep) -> None:
        self.begun.add(step.name)
        print(f"{self.numbers[step.name]} {step.name}: {step.step}", file=sys.stderr, flush=True)


class LiveView:
    """For people: the lines of the jobs' logs above, one line for each step below."""

    def __init__(self, steps: list[PipelineStep], *, quiet: bool) -> None:
        self.quiet = quiet
        self.rows = {step.name: Row(step) for step in steps}
        self.results: list[StepResult] = []

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Draw while the block runs; nothing of the table is left afterwards."""
        from rich.console import Console
        from rich.live import Live

        self.console = Console(stderr=True, highlight=False, markup=False)
        with Live(get_renderable=self._table, console=self.console, transient=True, refresh_per_second=4):
            yield

    def begins(self, step: PipelineStep) -> Events:
        """The step's line shows what it tells."""
        row = self.rows[step.name]
        row.begins()
        return RowEvents(row, None if self.quiet else lambda line: self.console.print(line, soft_wrap=True))

    def ended(self, step: PipelineStep, result: StepResult) -> None:
        """The step's line shows how it ended."""
        self.rows[step.name].ends(result)
        self.results.append(result)

    def explain_ends(self) -> None:
        """Once the table is gone: what went wrong."""
        for result in self.results:
            explain(result)

    def _table(self) -> RenderableType:
        from rich.table import Table

        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        for row in self.rows.values():
            table.add_row(row.step.name, row.text(), style=_STYLES.get(row.state, "dim"))
        return table


class Row:
    """A step's line: its state, and what is to be said of it."""

    def __init__(self, step: PipelineStep) -> None:
        self.step = step
        self.state = "waiting"
        self.told = ""
        self.began = 0.0

    def begins(self) -> None:
        self.state, self.began = "running", time.monotonic()

    def ends(self, result: StepResult) -> None:
        took = result.outcome.seconds if result.outcome else 0.0
        self.state = result.status
        self.told = f"in {seconds_text(took)}" if result.status == "done" else redact(result.why)

    def text(self) -> str:
        if self.state == "running":
            return f"running {seconds_text(time.monotonic() - self.began)}  {self.told}"
        return f"{self.state}{' ' if self.state == 'done' else ': '}{self.told}" if self.told else self.state


class RowEvents:
    """What a step tells, in its line; its log above all lines, if `print_line` is given."""

    def __init__(self, row: Row, print_line: Any) -> None:
        self.row = row
        self.print_line = print_line
        self.words = ProgressText()

    def skipped(self, made: list[Made]) -> None:
        """The result says it."""

    def adopted(self, attempt: Attempt) -> None:
        self.row.told = f"its job had come to its end in run {attempt.run_id}"

    def started(self, attempt: Attempt, argv: list[str], changed: list[str]) -> None:
        names = ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
        self.row.told = f"changed: {names}" if changed else short_path(attempt.log)

    def moved(self, aside: list[Path]) -> None:
        for path in aside:
            self.log(f"kept {short_path(path)} (what was there before)")

    def log(self, line: str) -> None:
        if self.print_line is not None and line.strip():
            self.print_line(f"{self.row.step.name} | {redact(line)}")

    def progress(self, line: dict[str, Any]) -> None:
        self.row.told = self.words.of(line, time.monotonic(), bar=True) or self.row.told

    def stopping(self) -> None:
        self.row.told = "interrupted: ending the job; Ctrl-C again kills it at once"

    def ended(self) -> None:
        """The result says it."""


def explain(result: StepResult) -> None:
    """What went wrong in a step, what is known to help, and where its log is."""
    print_diagnostics(result.diagnostics)
    for recovery in result.outcome.recoveries if result.outcome else ():
        print(f"   known error '{recovery.id}': {recovery.recovery}", file=sys.stderr)
    if result.status == "failed" and result.outcome and result.outcome.attempt:
        print(f"   the log: {short_path(result.outcome.attempt.log)}", file=sys.stderr)
