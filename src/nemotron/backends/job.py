"""What a step's process and the runner agree on.

A job is started as `python step.py --config config.yaml` in the attempt's folder. It reads that file,
appends to `progress.jsonl`, and writes `outputs.json` last. A failure that the job can explain is
written to `error.json`. Only rank 0 writes. Uses the standard library, PyYAML and the base modules.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import yaml

from nemotron.diagnostic import of_os_error
from nemotron.files import write_atomic

ENVIRONMENT_REFERENCE = re.compile(r"\$\{oc\.env:([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True)
class Output:
    """One artifact that the job made: its port in the manifest, where it lies, the facts it measured."""

    port: str
    path: Path
    facts: dict[str, str | int] = field(default_factory=dict)


class JobError(Exception):
    """A failure that the job can explain: a diagnostic code, one sentence, the place, and what to do."""

    def __init__(
        self,
        code: str,
        summary: str,
        *,
        file: Path | str | None = None,
        line: int | None = None,
        fix: str = "",
    ) -> None:
        super().__init__(summary)
        self.code = code
        self.summary = summary
        self.file = str(file) if file is not None else None
        self.line = line
        self.fix = fix

    def as_dict(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "summary": self.summary,
            "file": self.file,
            "line": self.line,
            "fix": self.fix,
        }


class Job:
    """A running attempt as its own process sees it."""

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        self.folder = folder
        self.config = config
        self._has_told = False

    @property
    def is_main(self) -> bool:
        """Whether this process is rank 0 of the job: the only one that writes."""
        return os.environ.get("RANK", "0") == "0"

    def progress(self, step: int, total: int | None, **metrics: float | int | str | None) -> None:
        """Append one line to progress.jsonl: `step` of `total` is done.

        The metrics that the command line shows are `loss` (nats per token), `tokens_per_s` (over all
        processes) and `unit` (what a step is, where it is not an optimiser step). None is left out.
        """
        if not self.is_main:
            return
        line: dict[str, Any] = {"step": step, "total": total}
        line.update((name, value) for name, value in metrics.items() if value is not None)
        line["time"] = time.time()
        file = self.folder / "progress.jsonl"
        if not self._has_told:
            _drop_lines_from(file, step)
            self._has_told = True
        with open(file, "a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")


def run(main: Callable[[Job], list[Output]]) -> NoReturn:
    """Run `main` as this process's job and exit: 0 with outputs.json written, or 1."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--config", type=Path, required=True)
    path = arguments.parse_args().config.resolve()
    # torchrun on a cluster is started with TERM blocked, so that it does not end its workers before they have
    # saved their state; that is inherited.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    # TERM must unwind the stack, so that worker processes of a pool are ended with this one; a forked worker
    # that inherits the handler would ignore the pool that ends it.
    signal.signal(signal.SIGTERM, _end)
    os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL))
    job = Job(path.parent, {})
    try:
        job.config = _resolve_environment(yaml.safe_load(path.read_text(encoding="utf-8")))
        outputs = main(job)
    except JobError as error:
        _fail(job, error)
    except OSError as problem:
        found = of_os_error(problem)
        if found is None or (found.code != "NMT640" and not problem.filename):
            raise
        _fail(job, JobError(found.code, f"{found.summary} ({problem.strerror})", fix=found.fix))
    if job.is_main:
        write_json(
            job.folder / "outputs.json",
            [{"port": o.port, "path": str(o.path.resolve()), "facts": o.facts} for o in outputs],
        )
    sys.exit(0)


def _fail(job: Job, error: JobError) -> NoReturn:
    """Say why the job failed, in the log too: a disk that is full may not take the file."""
    print(f"{error.code}: {error.summary}", file=sys.stderr, flush=True)
    if job.is_main:
        with contextlib.suppress(OSError):
            write_json(job.folder / "error.json", error.as_dict())
    sys.exit(1)


def _end(*_: object) -> None:
    """Unwind the stack, once: a second TERM would cut off what the first one made this process do."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(143)


def _drop_lines_from(file: Path, step: int) -> None:
    """Drop what an earlier start of this job told of a step and those after it: they are done again."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    kept = [line for line in lines if _step_of(line) < step]
    if len(kept) < len(lines):
        write_atomic(file, "".join(f"{line}\n" for line in kept))


def _step_of(line: str) -> float:
    """The step of a line of progress; a torn line is after every other one."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, TypeError, KeyError):
        return float("inf")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file so that it is either whole or not there."""
    write_atomic(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def _resolve_environment(value: Any) -> Any:
    """Fill in `${oc.env:NAME}`: what the runner leaves unresolved, so that no secret is written to a file."""
    if isinstance(value, dict):
        return {key: _resolve_environment(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolve_environment(item) for item in value]
    if isinstance(value, str):
        return ENVIRONMENT_REFERENCE.sub(_environment_value, value)
    return value


def _environment_value(match: re.Match[str]) -> str:
    name = match.group(1)
    if name not in os.environ:
        raise JobError(
            "NMT610", f"the environment variable {name} is not set in the job", fix=f"export {name}=…"
        )
    return os.environ[name]
