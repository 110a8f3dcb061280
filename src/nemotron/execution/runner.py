"""Running one step: key, lock, job, outputs. The only place that starts a job's process."""

from __future__ import annotations

import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import yaml

from nemotron.config.secrets import redact_tree
from nemotron.diagnostic import Diagnostic, Failure
from nemotron.execution import command, failure, outputs, processes
from nemotron.execution.follow import Follower
from nemotron.execution.interpreter import Interpreter, interpreter_of
from nemotron.execution.key import ingredients, key_of, what_changed
from nemotron.execution.lock import hold
from nemotron.execution.outputs import Made
from nemotron.execution.store import Attempt, Store, read_json, write_json
from nemotron.planning.pipeline_file import as_pipeline, to_yaml
from nemotron.planning.request import StepRequest

_POLL_SECONDS = 0.1


class Interrupted(BaseException):
    """The person (Ctrl-C), the system (TERM) or the terminal (HUP) asked the runner to stop."""


class Events(Protocol):
    """What a run tells while it goes on; the command line prints it."""

    def skipped(self, made: list[Made]) -> None: ...
    def started(self, attempt: Attempt, argv: list[str], changed: list[str] | None) -> None: ...
    def log(self, line: str) -> None: ...
    def progress(self, line: dict[str, Any]) -> None: ...
    def ended(self) -> None: ...


@dataclass
class Outcome:
    """How a run of one step ended. `status` is done, skipped, failed or interrupted."""

    status: str
    key: str
    made: list[Made] = field(default_factory=list)
    attempt: Attempt | None = None
    diagnostics: list[Diagnostic] = field(default_factory=list)
    recoveries: list[failure.Recovery] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def exit_code(self) -> int:
        return {"done": 0, "skipped": 0, "failed": 1, "interrupted": 130}[self.status]


@dataclass(frozen=True)
class Plan:
    """A request with its key and its output folders: what a dry run shows and a run does."""

    request: StepRequest
    interpreter: Interpreter
    parts: dict[str, Any]
    key: str
    folders: dict[str, Path]
    finished: list[Made] | None
    problems: list[Diagnostic]


def prepare(request: StepRequest, store: Store) -> Plan:
    """Compute the key and place the outputs; nothing is written."""
    interpreter = interpreter_of(request.step)
    parts = ingredients(request, interpreter.digest)
    key = key_of(parts)
    problems = outputs.foreign_outputs(request, store, key)
    folders = outputs.place_outputs(request, store, key)
    finished = None if problems else outputs.find_finished(request, store, key, folders)
    return Plan(request, interpreter, parts, key, folders, finished, problems)


def run(plan: Plan, store: Store, events: Events) -> Outcome:
    """Run the step unless it is finished. Failure NMT806 when another process is at it."""
    identity = plan.request.step.id
    with hold(store.lock_file(identity, plan.key), f"running {identity} with this config"):
        made = outputs.find_finished(plan.request, store, plan.key, plan.folders)
        if made is not None:
            events.skipped(made)
            return Outcome("skipped", plan.key, made)
        before = _last_done(store, identity)
        _end_orphans(store, plan)
        return _attempt(plan, store, events, what_changed(before, plan.parts) if before else None)


def _attempt(plan: Plan, store: Store, events: Events, changed: list[str] | None) -> Outcome:
    request, mark = plan.request, uuid.uuid4().hex
    outputs.clear_the_way(request, plan.folders, mark)
    for folder in plan.folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    run_folder = store.new_run(request.name, to_yaml(as_pipeline(request)))
    attempt = run_folder.new_attempt(request.name)
    _write_config(attempt, request.config.tree)
    argv = command.argv(request, plan.interpreter.python, attempt.config)
    code = command.link_code(run_folder.folder)
    environment = command.environment(request, plan.interpreter, code, mark)
    _write_command(attempt, plan, argv, mark)
    events.started(attempt, argv, changed)
    kills = processes.out_of_memory_kills() or 0
    began = time.time()
    status = _drive(attempt, argv, environment, mark, events)
    seconds = time.time() - began
    if status is None:
        outcome = Outcome("interrupted", plan.key, attempt=attempt, seconds=seconds)
    else:
        memory_kills = (processes.out_of_memory_kills() or 0) - kills
        outcome = _judge(plan, attempt, status, memory_kills, seconds)
    events.ended()
    _write_result(attempt, plan.key, outcome, status)
    return outcome


def _drive(
    attempt: Attempt, argv: list[str], environment: dict[str, str], mark: str, events: Events
) -> int | None:
    """Start the job, follow it to its end, leave none of its processes. None when interrupted."""
    process = None
    follower = Follower(attempt, events)
    try:
        with _interruptible():
            process = processes.start(argv, environment, attempt.folder, attempt.log)
            _note_process(attempt, process.pid)
            while process.poll() is None:
                follower.read()
                time.sleep(_POLL_SECONDS)
    except (Interrupted, KeyboardInterrupt):
        processes.end(mark, process)
        follower.finish()
        return None
    except BaseException:
        processes.end(mark, process, grace=0)
        raise
    processes.end(mark, grace=2.0 if process.returncode == 0 else 0.0)
    follower.finish()
    return process.returncode


def _judge(plan: Plan, attempt: Attempt, code: int, memory_kills: int, seconds: float) -> Outcome:
    if code == 0 and isinstance(read_json(attempt.outputs), list):
        try:
            made = outputs.record_outputs(plan.request, attempt, plan.key)
        except Failure as problem:
            return Outcome(
                "failed", plan.key, attempt=attempt, diagnostics=problem.diagnostics, seconds=seconds
            )
        return Outcome("done", plan.key, made, attempt, seconds=seconds)
    diagnostic, found = failure.explain(plan.request, attempt, code, memory_kills=memory_kills)
    return Outcome("failed", plan.key, [], attempt, [diagnostic], found, seconds)


def _write_config(attempt: Attempt, tree: dict[str, Any]) -> None:
    with open(attempt.config, "x", encoding="utf-8") as stream:
        yaml.safe_dump(tree, stream, sort_keys=False, allow_unicode=True)


def _write_command(attempt: Attempt, plan: Plan, argv: list[str], mark: str) -> None:
    write_json(
        attempt.command,
        {
            "argv": argv,
            "cwd": str(attempt.folder),
            "env_vars": redact_tree(plan.request.config.run.env_vars),
            "attempt": mark,
            "key": plan.key,
            "library": plan.request.step.manifest.step.library,
            "gpus": plan.request.gpus,
            "outputs": {key: str(folder) for key, folder in plan.folders.items()},
            "ingredients": redact_tree(plan.parts),
        },
    )


def _note_process(attempt: Attempt, pid: int) -> None:
    told = read_json(attempt.command)
    told["process"] = {"pid": pid, "started": processes.start_time(pid), "boot": processes.boot_id()}
    write_json(attempt.command, told)


def _write_result(attempt: Attempt, key: str, outcome: Outcome, code: int | None) -> None:
    write_json(
        attempt.result,
        {
            "status": outcome.status,
            "exit_code": code,
            "key": key,
            "seconds": round(outcome.seconds, 3),
            "outputs": [
                {"port": m.port, "path": str(m.path), "digest": m.record.digest} for m in outcome.made
            ],
            "diagnostics": [{"code": d.code, "summary": d.summary} for d in outcome.diagnostics],
        },
    )


def _last_done(store: Store, identity: str) -> dict[str, Any] | None:
    """The ingredients of the newest finished attempt at the step."""
    for attempt, told in store.attempts(identity):
        result = read_json(attempt.result)
        if isinstance(result, dict) and result.get("status") == "done":
            parts = told.get("ingredients")
            return parts if isinstance(parts, dict) else None
    return None


def _end_orphans(store: Store, plan: Plan) -> None:
    """End what a killed runner left running for this key: nobody else may write these outputs."""
    for attempt, told in store.attempts(plan.request.step.id):
        if told.get("key") == plan.key and not attempt.result.exists() and "attempt" in told:
            processes.end(told["attempt"])


@contextmanager
def _interruptible() -> Iterator[None]:
    """TERM and HUP interrupt the block, as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise Interrupted(number)

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
