"""A run as data, all that its report shows. Reads the run store; renders nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import networkx as nx
import yaml

from nemotron.artifacts.record import Artifact, InputEntry, read_record
from nemotron.catalog.catalog import Catalog
from nemotron.config.secrets import redact, redact_line, redact_tree
from nemotron.config.yaml_places import dump_yaml, read_yaml
from nemotron.diagnostic import Failure
from nemotron.execution.store import Attempt, Run, Store, read_json
from nemotron.files import read_end
from nemotron.planning.pipeline import Pipeline, read_pipeline
from nemotron.reporting import runs
from nemotron.reporting.attempts import AtHome, StepReport, artifacts_at_home
from nemotron.reporting.curves import Curve, read_curve
from nemotron.reporting.evaluations import Comparison, compare
from nemotron.reporting.graph import as_data, from_data, graph_of

_ARTIFACTS_AT_MOST = 200
_LOG_BYTES, _LOG_LINES = 1 << 14, 40
_NOT_REACHED = "the run ended before it"


@dataclass(frozen=True)
class StepStory:
    """A step: how it ended, what it ran with, its losses. `made_by` is the run that made what it skipped.

    `log_end` are the last lines of the log of one that did not end well.
    """

    name: str
    step: str
    status: str
    why: str
    seconds: float
    library: str | None
    gpus: int | None
    made_by: str | None
    attempt: str | None
    log: str | None
    log_end: str | None
    config: str | None
    diagnostics: list[dict[str, Any]]
    recoveries: list[dict[str, Any]]
    artifacts: dict[str, str]
    curve: Curve | None


@dataclass(frozen=True)
class ArtifactStory:
    """An artifact of the run, or one that such a one was made from; `name` is what the run calls it."""

    name: str
    path: str
    is_there: bool
    type: str = ""
    digest: str | None = None
    size: int | None = None
    facts: dict[str, str | int] = field(default_factory=dict)
    producer: str | None = None
    inputs: list[dict[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Story:
    """A whole run. `pipeline` is the text of its file; `graph_problem` says why there is no graph."""

    run: str
    name: str
    status: str
    started: str | None
    seconds: float
    project: str
    want: str | None
    haves: dict[str, dict[str, Any]]
    hardware: dict[str, Any]
    pipeline: str
    steps: list[StepStory]
    evaluations: Comparison
    artifacts: list[ArtifactStory]
    nodes: list[dict[str, str]]
    edges: list[dict[str, str]]
    graph_problem: str | None

    def graph(self) -> nx.DiGraph[str]:
        """The pipeline's graph, as `graph_of` made it."""
        return from_data(self.nodes, self.edges)


def tell(store: Store, run: Run, catalog: Catalog) -> Story:
    """Everything that is known of a run. A run that goes on, or was killed, is told as far as it came."""
    report = runs.report(run, store)
    pipeline, problem = _pipeline(run, catalog)
    graph = graph_of(pipeline, catalog) if pipeline else nx.DiGraph()
    tree = _tree(run)
    steps = [_step(step, store) for step in report.steps]
    home = artifacts_at_home(run)
    return Story(
        run.id,
        report.name,
        report.status,
        report.started.isoformat(timespec="seconds") if report.started else None,
        round(report.seconds, 3),
        str(store.root.resolve().parent),
        str(tree["want"]) if tree.get("want") else None,
        _tables(redact_tree(tree.get("have"))),
        redact_tree(tree["hardware"]) if isinstance(tree.get("hardware"), dict) else {},
        "\n".join(redact_line(line) for line in _text(run.pipeline).splitlines()),
        steps,
        compare(_evaluated(steps, pipeline, catalog, home)),
        _artifacts(steps, run, tree, home),
        *as_data(graph),
        problem,
    )


def _pipeline(run: Run, catalog: Catalog) -> tuple[Pipeline | None, str | None]:
    """The pipeline of a run, or why the catalog of today cannot read it."""
    try:
        return read_pipeline(run.pipeline, catalog), None
    except Failure as failure:
        return None, failure.diagnostics[0].summary


def _tree(run: Run) -> dict[str, Any]:
    try:
        return read_yaml(run.pipeline, quick=True).tree
    except (Failure, OSError):
        return {}


def _tables(value: Any) -> dict[str, dict[str, Any]]:
    entries = value.items() if isinstance(value, dict) else ()
    return {str(name): table for name, table in entries if isinstance(table, dict)}


def _step(step: StepReport, store: Store) -> StepStory:
    attempt = step.attempt if step.status != "skipped" else None
    made_by = None
    if attempt is None and step.artifacts:
        attempt = _maker(step, store)
        made_by = attempt.run_id if attempt else None
    told = read_json(attempt.command) if attempt else None
    told = told if isinstance(told, dict) else {}
    named = told.get("outputs")
    folders = [Path(str(folder)) for folder in named.values()] if isinstance(named, dict) else []
    return StepStory(
        step.name,
        step.step,
        step.status,
        redact(step.why) or (_NOT_REACHED if step.status == "not run" else ""),
        round(step.seconds, 3),
        told.get("library"),
        told.get("gpus"),
        made_by,
        attempt.name if attempt else None,
        str(attempt.log) if attempt else None,
        _log_end(attempt) if attempt and step.status in ("failed", "interrupted") else None,
        _config(attempt) if attempt else None,
        step.diagnostics,
        [{**entry, "text": redact(str(entry.get("text", "")))} for entry in step.recoveries],
        step.artifacts,
        read_curve(attempt.progress, folders) if attempt else None,
    )


def _maker(step: StepReport, store: Store) -> Attempt | None:
    """The attempt, of whatever run, that made what a step found finished."""
    for path in step.artifacts.values():
        record = read_record(Path(path))
        if record is None:
            continue
        for attempt in Run(store.runs / record.producer.run).attempts():
            told = read_json(attempt.command)
            if isinstance(told, dict) and told.get("key") == record.producer.key:
                return attempt
    return None


def _config(attempt: Attempt) -> str | None:
    """The resolved config, without anything that looks like a secret."""
    text = _text(attempt.config)
    if not text:
        return None
    try:
        return dump_yaml(redact_tree(yaml.safe_load(text)))
    except yaml.YAMLError:
        return "\n".join(redact_line(line) for line in text.splitlines())


def _log_end(attempt: Attempt) -> str | None:
    """The last lines of a log, each as its progress bars left it."""
    lines = read_end(attempt.log, _LOG_BYTES).decode("utf-8", errors="replace").split("\n")
    shown = [redact_line(line.rstrip("\r").rsplit("\r", 1)[-1]) for line in lines]
    return "\n".join(shown[-_LOG_LINES:]).strip() or None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _evaluated(
    steps: list[StepStory], pipeline: Pipeline | None, catalog: Catalog, home: dict[str, AtHome]
) -> list[tuple[str, str, Path]]:
    """Step, what it evaluated by its name in the pipeline, and the artifact, for all that may be results."""
    found = []
    for step in steps:
        for path in step.artifacts.values():
            own = home.get(path)
            record = own.record if own else read_record(Path(path))
            if record is None or record.type == "eval_results":
                place = own.scores if own and own.scores else Path(path)
                found.append((step.name, _subject(step.name, pipeline, catalog), place))
    return found


def _subject(name: str, pipeline: Pipeline | None, catalog: Catalog) -> str:
    """The names of the models that a step of a pipeline takes."""
    if pipeline is None:
        return ""
    step = next((step for step in pipeline.steps if step.name == name), None)
    ports = step.inputs.items() if step else ()
    types = {port: catalog.step(step.step).consumes(port).type for port, _ in ports} if step else {}
    models = [
        link.name
        for port, links in ports
        if types[port] == "endpoint" or types[port].startswith("checkpoint")
        for link in links
    ]
    return ", ".join(models)


def _artifacts(
    steps: list[StepStory], run: Run, tree: dict[str, Any], home: dict[str, AtHome]
) -> list[ArtifactStory]:
    """What the run made or found made, then, back to the sources, what that was made from."""
    made = {_plain(path): f"{step.name}.{port}" for step in steps for port, path in step.artifacts.items()}
    names = {**_haves_by_path(run, tree), **made}
    records = {path: entry.record for path, entry in home.items()}
    records |= {path: record for path in made if (record := read_record(Path(path))) is not None}
    by_digest = {record.digest: path for path, record in records.items()}
    found: dict[str, ArtifactStory] = {}
    pending: list[tuple[str, InputEntry | None]] = [(path, None) for path in made]
    while pending and len(found) < _ARTIFACTS_AT_MOST:
        path, entry = pending.pop(0)
        if path in found:
            continue
        record = records.get(path) or read_record(Path(path))
        # What an earlier run made from the same content elsewhere is the same artifact.
        inputs = [(by_digest.get(e.digest, _plain(e.path)), e) for e in (record.inputs if record else ())]
        found[path] = _artifact(names.get(path, ""), path, record, entry, inputs, names)
        pending += inputs
    return list(found.values())


def _artifact(
    name: str,
    path: str,
    record: Artifact | None,
    entry: InputEntry | None,
    inputs: list[tuple[str, InputEntry]],
    names: dict[str, str],
) -> ArtifactStory:
    """An artifact by its record; a source by what the record of its user says of it."""
    is_there = Path(path).exists() or not Path(path).is_absolute()
    if record is None:
        return ArtifactStory(
            name, path, is_there, entry.type if entry else "", entry.digest if entry else None
        )
    producer = record.producer
    return ArtifactStory(
        name,
        path,
        is_there,
        record.type,
        record.digest,
        sum(file.size for file in record.files),
        dict(record.facts),
        f"{producer.step}, version {producer.version}, in run {producer.run}, attempt {producer.attempt}",
        [
            {"port": e.port, "type": e.type, "digest": e.digest, "path": at, "name": names.get(at, "")}
            for at, e in inputs
        ],
    )


def _haves_by_path(run: Run, tree: dict[str, Any]) -> dict[str, str]:
    """The names of the haves by their paths, which count from where the pipeline's file was."""
    folder = Path(str(run.told().get("folder") or run.folder))
    haves = _tables(tree.get("have"))
    return {_plain(folder / str(table["path"])): name for name, table in haves.items() if table.get("path")}


def _plain(path: str | Path) -> str:
    """A path without `..`; a name on a hub, which is no absolute path, stays as it is."""
    return os.path.normpath(path) if os.path.isabs(path) else str(path)
