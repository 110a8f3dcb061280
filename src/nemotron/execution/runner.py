"""Running one step: key, lock, job, outputs. The only place that starts a job's process."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from nemotron.checking.render import as_dict
from nemotron.config.secrets import redact_tree
from nemotron.diagnostic import Diagnostic, Failure
from nemotron.execution import command, failure, outputs, processes
from nemotron.execution.crew import Events, Stopped, Worker, alone
from nemotron.execution.follow import Follower
from nemotron.execution.interpreter import Interpreter, interpreter_for
from nemotron.execution.key import ingredients, key_of, what_changed
from nemotron.execution.lock import hold, this_process
from nemotron.execution.outputs import Made
from nemotron.execution.store import Attempt, Run, Store, read_json, slug, write_json
from nemotron.planning.pipeline_file import as_pipeline, to_yaml
from nemotron.planning.request import StepRequest

_POLL_SECONDS = 0.1
_ORPHANS_GRACE_SECONDS = 2.0


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
    """A request with its key and its output folders: what a dry run shows and a run does.

    `named` are those of the `folders` that the user chose.
    """

    request: StepRequest
    interpreter: Interpreter
    parts: dict[str, Any]
    key: str
    named: dict[str, Path]
    folders: dict[str, Path]
    finished: list[Made] | None
    problems: list[Diagnostic]


def prepare(request: StepRequest, store: Store) -> Plan:
    """Compute the key and place the outputs; nothing is written."""
    interpreter = interpreter_for(request)
    parts = ingredients(request, interpreter.digest)
    key = key_of(parts)
    named = request.named_outputs()
    problems = outputs.foreign_outputs(request, named, store, key) + command.unset_variables(request)
    folders = outputs.place_outputs(request, store, key)
    finished = None if problems else outputs.find_finished(request, store, key, folders)
    return Plan(request, interpreter, parts, key, named, folders, finished, problems)


def run(plan: Plan, store: Store, events: Events, *, force: bool = False) -> Outcome:
    """Run one step in a run of its own, unless it is finished. Failure NMT806, NMT704 as in `work`."""
    return alone(events, lambda worker: work(plan, store, worker, force=force))


def work(
    plan: Plan,
    store: Store,
    worker: Worker[Any],
    within: Run | None = None,
    *,
    devices: Sequence[str] = (),
    force: bool = False,
) -> Outcome:
    """Run the step unless it is finished, in a run of its own or `within` that of a pipeline.

    Its job sees the GPUs in `devices`. With `force` it runs again even so, and what is there is moved aside.
    Failure NMT806 when another process is at it, NMT704.
    """
    identity = plan.request.step.id
    with ExitStack() as locks:
        locks.enter_context(hold(store.lock_file(identity, plan.key), f"running {identity} with this config"))
        for folder in sorted(set(plan.named.values())):
            locks.enter_context(hold(store.output_lock_file(folder), f"writing to {folder}"))
        if problems := outputs.foreign_outputs(plan.request, plan.named, store, plan.key):
            raise Failure(problems)
        made = None if force else outputs.find_finished(plan.request, store, plan.key, plan.folders)
        if made is not None:
            worker.events.skipped(made)
            return Outcome("skipped", plan.key, made)
        _end_orphans(store, plan)
        adopted = None if force else _adopt(plan, store, worker.events)
        if adopted is not None:
            return adopted
        return _Attempt(plan, store, worker, tuple(devices), force).run(within)


def made_before(made: list[Made]) -> str:
    """Why a finished step is skipped."""
    return f"run {made[0].record.producer.run} made it from the same config and inputs"


def _adopt(plan: Plan, store: Store, events: Events) -> Outcome | None:
    """Record what a job made whose runner was stopped between the job's last word and the recording."""
    if not outputs.may_be_taken_again(plan.request):
        return None
    for attempt, told in store.attempts(plan.request.step.id):
        if told.get("key") != plan.key or told.get("outputs") != _as_text(plan.folders):
            continue
        ended = read_json(attempt.result) or {"status": "interrupted"}
        if ended.get("status") != "interrupted" or not outputs.has_told(attempt):
            return None
        try:
            made = outputs.record_outputs(plan.request, attempt, plan.key)
        except Failure:
            return None
        events.adopted(attempt)
        outcome = Outcome("done", plan.key, made, attempt)
        _write_result(attempt, plan.key, outcome, 0)
        return outcome
    return None


@dataclass
class _Attempt:
    """One try at a step: its job from the first file to its result."""

    plan: Plan
    store: Store
    worker: Worker[Any]
    devices: tuple[str, ...]
    force: bool

    def run(self, within: Run | None) -> Outcome:
        """Start the job, follow it, and judge how it ended."""
        self.worker.begin_job()
        mark, kills = uuid.uuid4().hex, processes.out_of_memory_kills() or 0
        attempt, argv, environment = self._prepare(within, mark)
        began = time.monotonic()
        status = self._drive(attempt, argv, environment, mark)
        seconds = time.monotonic() - began
        if status is None:
            outcome = Outcome("interrupted", self.plan.key, attempt=attempt, seconds=seconds)
        else:
            self.worker.end_job()
            memory_kills = (processes.out_of_memory_kills() or 0) - kills
            outcome = _judge(self.plan, attempt, status, memory_kills, seconds)
        self.worker.events.ended()
        _write_result(attempt, self.plan.key, outcome, status)
        return outcome

    def _prepare(self, within: Run | None, mark: str) -> tuple[Attempt, list[str], dict[str, str]]:
        """The attempt's folder and files, its command and its environment."""
        plan, request = self.plan, self.plan.request
        changed = [] if self.force else changes(plan, self.store)
        moved = outputs.clear_the_way(request, plan.folders, mark, is_forced=self.force)
        for folder in plan.folders.values():
            folder.mkdir(parents=True, exist_ok=True)
        run = within or self.store.new_run(request.name, to_yaml(as_pipeline(request)))
        attempt = run.new_attempt(request.name)
        _write_config(attempt, request.config.tree)
        argv = command.argv(request, plan.interpreter.python, attempt.config)
        code = command.link_code(run.folder)
        environment = command.environment(request, plan.interpreter, code, mark, self.devices)
        _write_command(attempt, plan, argv, mark, self.devices)
        self.worker.events.started(attempt, argv, changed)
        if moved:
            self.worker.events.moved(moved)
        return attempt, argv, environment

    def _drive(self, attempt: Attempt, argv: list[str], environment: dict[str, str], mark: str) -> int | None:
        """Start the job, follow it to its end, leave none of its processes. None when interrupted.

        Stopped when the run cannot go on: then nobody is to record how the job ended.
        """
        requests, follower = self.worker.requests, Follower(attempt, self.worker.events)
        process = processes.start(argv, environment, attempt.folder, attempt.log)
        try:
            _note_process(attempt, process.pid)
            while process.poll() is None and not requests.came:
                follower.read()
                time.sleep(_POLL_SECONDS)
            if requests.aborted:
                raise Stopped
            interrupted = process.poll() is None
            if interrupted:
                self.worker.events.stopping()
                processes.end(mark, process, hurry=lambda: requests.hurry)
            else:
                processes.end(mark, grace=2.0 if process.returncode == 0 else 0.0)
        except BaseException:
            processes.end(mark, process, grace=0)
            raise
        follower.finish()
        return None if interrupted else process.returncode


def _judge(plan: Plan, attempt: Attempt, code: int, memory_kills: int, seconds: float) -> Outcome:
    if code == 0 and outputs.has_told(attempt):
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


def _write_command(
    attempt: Attempt, plan: Plan, argv: list[str], mark: str, devices: tuple[str, ...]
) -> None:
    write_json(
        attempt.command,
        {
            "step": plan.request.step.id,
            "argv": argv,
            "cwd": str(attempt.folder),
            "env_vars": redact_tree(plan.request.config.run.env_vars),
            "attempt": mark,
            "runner": this_process(),
            "key": plan.key,
            "library": plan.request.library,
            "gpus": plan.request.gpus,
            "devices": list(devices),
            "outputs": _as_text(plan.folders),
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
            "diagnostics": [as_dict(d) for d in outcome.diagnostics],
            "recoveries": [asdict(r) for r in outcome.recoveries],
        },
    )


def changes(plan: Plan, store: Store) -> list[str]:
    """What differs from the newest finished attempt at the step of this name; empty when there is none."""
    for attempt, told in store.attempts(plan.request.step.id):
        if attempt.folder.parent.name != slug(plan.request.name):
            continue
        result, before = read_json(attempt.result), told.get("ingredients")
        if isinstance(result, dict) and result.get("status") == "done" and isinstance(before, dict):
            moved = told.get("outputs") != _as_text(plan.folders)
            here = "the output folder" if moved else "the files that it made"
            return what_changed(before, plan.parts) or [here]
    return []


def _end_orphans(store: Store, plan: Plan) -> None:
    """End what a killed runner left running for this key or in these folders: only one may write there."""
    folders = set(_as_text(plan.folders).values())
    for attempt, told in store.attempts():
        ours = told.get("key") == plan.key or folders & set(told.get("outputs", {}).values())
        if ours and not attempt.result.exists() and "attempt" in told:
            processes.end(told["attempt"], grace=_ORPHANS_GRACE_SECONDS)


def _as_text(folders: dict[str, Path]) -> dict[str, str]:
    return {key: str(folder) for key, folder in folders.items()}
