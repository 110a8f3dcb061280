"""What is submitted: for each step its key, its output folders, its orders to the job. Reads inputs.

A step whose inputs are not made yet has a key all the same: in the place of their digests stand the keys of
the steps that make them. So a resubmission finds the folders of the one before, and what is finished there.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from nemotron.artifacts.facts import fact_from_value
from nemotron.catalog.manifest import FactRule
from nemotron.config.tree import MISSING, leaves
from nemotron.execution.command import processes_wanted
from nemotron.execution.interpreter import interpreter_for
from nemotron.execution.key import ingredients, key_of
from nemotron.execution.outputs import may_be_taken_again, place_outputs
from nemotron.execution.pipeline_result import Wanted
from nemotron.execution.slurm.script import JobSpec
from nemotron.execution.store import Attempt, Store, slug
from nemotron.planning.promises import stands_for
from nemotron.planning.remote_paths import config_on_cluster
from nemotron.planning.request import BoundInput, StepRequest
from nemotron.profiles.mounts import to_cluster
from nemotron.profiles.profile import Profile


@dataclass(frozen=True)
class Placed:
    """A step of a submission: its key, what the key is made of, its config and its outputs on the cluster."""

    request: StepRequest
    profile: Profile
    key: str
    parts: dict[str, Any]
    config: dict[str, Any]
    outputs: dict[str, str]

    @property
    def name(self) -> str:
        return self.request.name

    @property
    def nodes(self) -> int:
        return self.request.nodes

    @property
    def gpus_per_node(self) -> int:
        return -(-self.request.gpus // max(1, self.nodes))

    def after(self) -> dict[str, tuple[str, str]]:
        """What stands in the config for an output of another step → that step and its port."""
        texts = [value for _, value in leaves(self.config) if isinstance(value, str)]
        found = [name for name in self.request.promises if any(name in text for text in texts)]
        # The longest first: one name may begin with another.
        found.sort(key=len, reverse=True)
        return {name: _step_and_port(name) for name in found}


def place(requests: Sequence[StepRequest]) -> list[Placed]:
    """Give each step of a pipeline, in their order, its key and its folders."""
    placed: list[Placed] = []
    promised: dict[str, str] = {}
    for request in requests:
        profile = request.profile
        assert profile is not None  # it is what sends a run here
        assert profile.remote_job_dir is not None  # a profile of Slurm has one
        parts = ingredients(request, interpreter_for(request).digest)
        parts = _replaced(parts, promised)
        key = key_of(parts)
        folders = place_outputs(request, Store(Path(profile.remote_job_dir)), key)
        config = config_on_cluster(request, profile)
        outputs = {at: to_cluster(folder, profile) or str(folder) for at, folder in folders.items()}
        placed.append(Placed(request, profile, key, parts, config, outputs))
        promised |= {
            stands_for(request.name, port): f"{key}.{port.name}" for port in request.step.manifest.produces
        }
    return placed


def job_spec(step: Placed, name: str, run: PurePosixPath, attempt: Attempt) -> JobSpec:
    """The job of an attempt, in the run's folder there."""
    image = step.request.config.run.container_image
    return JobSpec(
        name=name,
        folder=run / relative(attempt),
        code=run / "code",
        python=str(interpreter_for(step.request).python),
        nodes=step.nodes,
        processes=processes_wanted(step.request),
        gpus_per_node=step.gpus_per_node,
        launch=step.request.step.manifest.step.launch,
        image=image,
    )


def orders(step: Placed, job: JobSpec, attempts: dict[str, Attempt], wanted: Wanted) -> dict[str, Any]:
    """job.json: what the job needs to know. `attempts` are those of the steps that it takes inputs from."""
    manifest = step.request.step.manifest
    own = interpreter_for(step.request).variables
    return {
        "step": manifest.step.id,
        "version": manifest.step.version,
        "key": step.key,
        "mark": uuid.uuid4().hex,
        "launch": manifest.step.launch,
        "program": str(job.code / "steps" / manifest.step.id / step.request.step.program.name),
        "nodes": job.nodes,
        "processes": job.processes,
        "resumable": manifest.step.resumable,
        "may_be_taken_again": may_be_taken_again(step.request),
        "may_run": wanted.allows(step.name),
        "is_forced": step.name in wanted.force,
        "retries": step.profile.retries,
        "time_seconds": step.profile.time_seconds,
        "env_vars": {**own, **step.request.config.run.env_vars},
        "outputs": step.outputs,
        "inputs": [entry for bound in step.request.inputs for entry in _inputs(bound, step.profile)],
        "after": {
            name: {"step": producer, "port": port, "attempt": str(relative(attempts[producer]))}
            for name, (producer, port) in step.after().items()
        },
        "produces": [
            {
                "name": port.name,
                "type": port.type,
                "optional": port.optional,
                "facts": {name: list(_facts(step, name, rule)) for name, rule in port.facts.items()},
            }
            for port in manifest.produces
        ],
    }


def relative(attempt: Attempt) -> PurePosixPath:
    """An attempt's folder in its run's: the same here and there."""
    return PurePosixPath(attempt.folder.parent.name, attempt.name)


def code_of(steps: Sequence[Placed]) -> dict[str, Path]:
    """What the jobs need of the code: the place in the run's folder → where it lies here."""
    package = Path(__file__).resolve().parents[2]
    found = {f"code/steps/{step.request.step.id}": step.request.step.folder for step in steps}
    return {f"code/{package.name}": package, **found}


def size(steps: Sequence[Placed]) -> str:
    """What is asked of the cluster, for people: nodes × GPUs × time, a line for each size."""
    counts: dict[str, int] = {}
    for step in steps:
        gpus = f" × {step.gpus_per_node} GPU{'s' * (step.gpus_per_node > 1)}" if step.gpus_per_node else ""
        time = f" × {step.profile.time}" if step.profile.time else " × the partition's time"
        text = f"{step.nodes} node{'s' * (step.nodes > 1)}{gpus}{time}"
        counts[text] = counts.get(text, 0) + 1
    return "\n".join(f"  {count} job{'s' * (count > 1)} of {text}" for text, count in counts.items())


def job_suffix(step: str) -> str:
    """What the name of a step's job ends in."""
    return slug(step)


def _step_and_port(name: str) -> tuple[str, str]:
    step, _, port = name.partition(":")[2].partition(".")
    return step, port


def _replaced(value: Any, promised: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(item, promised) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, promised) for item in value]
    return promised.get(value, value) if isinstance(value, str) else value


def _inputs(bound: BoundInput, profile: Profile) -> Iterator[dict[str, Any]]:
    for source in bound.sources:
        here = source.hub is not None or bool(source.files) or source.path is None
        path = (to_cluster(source.path, profile) if source.path else None) or source.value
        digest = source.digest() if here and source.promise is None else None
        yield {"port": bound.port.name, "type": bound.port.type, "path": path, "digest": digest}


def _facts(step: Placed, name: str, rule: FactRule) -> Iterator[dict[str, Any]]:
    """Where the job finds a fact of an output, in the order in which they count."""
    request = step.request
    if rule.measured:
        yield {"measured": True}
    if rule.value is not None:
        yield {"value": rule.value}
    kind = request.types.facts.get(name)
    for key in (*rule.keys, *([rule.unless] if rule.unless else [])):
        value = request.config.document.get(key)
        if kind is not None and value not in (None, "", MISSING):
            known = fact_from_value(kind, value) if value not in request.promises else None
            yield (
                {"value": known} if known is not None else {"config": _there(value, step), "kind": kind.kind}
            )
    if rule.from_ is not None:
        port, _, fact = rule.from_.partition(".")
        bound = request.input(port)
        if bound is not None:
            yield {"input": port, "fact": fact}
            if (stated := bound.fact(fact)) is not None:
                yield {"value": stated}


def _there(value: Any, step: Placed) -> Any:
    is_path = isinstance(value, str) and value.startswith("/")
    return (to_cluster(value, step.profile) or value) if is_path else value
