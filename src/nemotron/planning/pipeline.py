"""The pipeline file as data: read, and bound to requests. Reads YAML, the catalog and the haves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nemotron.catalog.catalog import Catalog, Step
from nemotron.config.tree import MISSING, Document
from nemotron.config.yaml_places import read_yaml
from nemotron.diagnostic import Diagnostic, Failure, Place, blocked, error
from nemotron.nearest import did_you_mean
from nemotron.planning.have import Have, have_from_table
from nemotron.planning.nodes import Link
from nemotron.planning.pipeline_form import HARDWARE, form_problems
from nemotron.planning.pipeline_links import in_order, wrong_links
from nemotron.planning.placement import Offer
from nemotron.planning.promises import promises_of, stands_for
from nemotron.planning.request import Promises, StepRequest
from nemotron.planning.resolve import Wish, resolve
from nemotron.planning.setting_paths import config_from, settings_from
from nemotron.profiles.load import load_profile
from nemotron.profiles.profile import Profile


@dataclass(frozen=True)
class PipelineStep:
    """A step of a pipeline: `inputs` maps a port to where it comes from, `settings` a key to a value."""

    name: str
    step: str
    config: str = "default"
    inputs: dict[str, list[Link]] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    gpus: int | None = None
    nodes: int | None = None
    profile: str | None = None

    def needs(self) -> list[str]:
        """The names that its inputs refer to."""
        return [link.name for links in self.inputs.values() for link in links]


@dataclass
class Pipeline:
    """A whole pipeline; `document` has the places of its file. `steps` can run in their order.

    Relative paths count from `folder`. `profile` is where steps run that name none themselves.
    """

    file: Path
    folder: Path
    want: str | None
    haves: dict[str, Have]
    steps: list[PipelineStep]
    document: Document
    profile: Profile | None = None

    def step(self, name: str) -> PipelineStep:
        return next(step for step in self.steps if step.name == name)

    def place(self, *path: str) -> Place | None:
        return self.document.place(path)

    def before(self, name: str) -> set[str]:
        """The steps that a step needs, directly or not."""
        known = {step.name for step in self.steps}
        found: set[str] = set()
        pending = [name]
        while pending:
            for needed in self.step(pending.pop()).needs():
                if needed in known and needed not in found:
                    found.add(needed)
                    pending.append(needed)
        return found


def read_pipeline(file: Path, catalog: Catalog, folder: Path | None = None) -> Pipeline:
    """Read a pipeline file, whose relative paths count from its own folder unless another one is given.

    Failure NMT201, NMT210 and following for YAML; NMT270 to NMT274 for its form.
    """
    folder = folder or file.resolve().parent
    if not file.is_file():
        near = [f.name for f in file.parent.glob("*.yaml")] if file.parent.is_dir() else []
        fix = did_you_mean(file.name, near) or "`nemotron pipeline plan … -o FILE` writes one"
        raise Failure(error("NMT213", f"there is no pipeline file {file}", fix=fix))
    document = read_yaml(file)
    if problems := form_problems(document, catalog.types):
        raise Failure(problems)
    haves = {
        name: have_from_table(name, table, catalog.types, folder)
        for name, table in (document.get("have") or {}).items()
    }
    steps = [_step(name, table) for name, table in (document.get("steps") or {}).items()]
    pipeline = Pipeline(file, folder, document.get("want"), haves, steps, document)
    if problems := list(wrong_links(pipeline, catalog)):
        raise Failure(problems)
    pipeline.steps = in_order(pipeline)
    return pipeline


def requests(
    pipeline: Pipeline, catalog: Catalog, made: dict[str, str] | None = None, gpus: int | None = None
) -> Iterator[StepRequest]:
    """The request of each step, in their order. `made` maps `step.port` to a path, where it is made."""
    promises: Promises = {}
    for step in pipeline.steps:
        request = request_of(pipeline, step, catalog, promises, made or {}, gpus)
        promises |= promises_of(request, step.name)
        yield request


def request_of(
    pipeline: Pipeline,
    step: PipelineStep,
    catalog: Catalog,
    promises: Promises,
    made: dict[str, str],
    gpus: int | None = None,
) -> StepRequest:
    """One step bound to its inputs: haves, what is made, and promises of what is not yet."""
    known = catalog.step(step.step)
    bound: dict[str, Any] = {}
    places: dict[str, Place] = {}
    for port, links in step.inputs.items():
        consumed = known.consumes(port)
        values = [_value(pipeline, link, catalog, made) for link in links]
        bound[consumed.at] = values if consumed.many and len(values) > 1 else values[0]
        if len(links) == 1 and links[0].output is None:
            bound |= pipeline.haves[links[0].name].values(consumed.at)
        place = pipeline.place("steps", step.name, "inputs", port)
        if place is not None:
            places[consumed.at] = place
    bound |= settings_from(pipeline.folder, step.settings, known, catalog.types)
    for key in step.settings:
        place = pipeline.place("steps", step.name, "set", key)
        if place is not None:
            places[key] = place
    gpus_at = _gpus_at(pipeline, step, known) if gpus is None else None
    gpus = step.gpus if gpus is None else gpus
    profile = profile_of(pipeline, step)
    config = config_from(pipeline.folder, step.config)
    wish = Wish(step.step, config, [], gpus, step.nodes, profile, _offer(pipeline))
    request = resolve(wish, catalog, bound=bound, places=places, promises=dict(promises))
    kind = pipeline.document.get("hardware.gpu")
    gpu = kind if isinstance(kind, str) and kind != MISSING else None
    return replace(request, name=step.name, gpu=gpu, gpus_at=gpus_at)


def profile_of(pipeline: Pipeline, step: PipelineStep) -> Profile | None:
    """Where the step runs: the profile that the file names for it, else that of the whole pipeline."""
    if step.profile is None:
        return pipeline.profile
    try:
        return load_profile(step.profile)
    except Failure as failure:
        named = pipeline.place("steps", step.name, "profile")
        raise Failure(replace(each, where=each.where or named) for each in failure.diagnostics) from failure


def _gpus_at(pipeline: Pipeline, step: PipelineStep, known: Step) -> Place | None:
    """Where the file says how many GPUs a step gets; None where the step's config does."""
    if step.gpus is not None:
        return pipeline.place("steps", step.name, "gpus")
    return pipeline.place("hardware", "gpus_per_node") if known.manifest.takes_all_gpus else None


def _offer(pipeline: Pipeline) -> Offer:
    hardware = pipeline.document.get("hardware") or {}
    counts = (hardware.get("nodes"), hardware.get("gpus_per_node"))
    return Offer(*(count if isinstance(count, int) else None for count in counts))


def missing_haves(pipeline: Pipeline) -> Iterator[Diagnostic]:
    """Haves that are still `???`, and hardware that is."""
    for name, have in pipeline.haves.items():
        if MISSING in (have.value, str(have.path), have.hub, have.url) or not have.value:
            place = pipeline.place("have", name)
            yield blocked(
                "NMT208", f"the have '{name}' is not said yet", where=place, fix=f"write where {name} is"
            )
    hardware = pipeline.document.get("hardware") or {}
    for key in HARDWARE:
        if hardware.get(key) == MISSING:
            place = pipeline.place("hardware", key)
            yield blocked("NMT208", f"'hardware.{key}' needs a value", where=place, fix=f"write {key}")


def _value(pipeline: Pipeline, link: Link, catalog: Catalog, made: dict[str, str]) -> str:
    if link.output is None:
        return pipeline.haves[link.name].value
    if str(link) in made:
        return made[str(link)]
    step = catalog.step(pipeline.step(link.name).step)
    return stands_for(link.name, step.produces(link.output))


def _step(name: str, table: dict[str, Any]) -> PipelineStep:
    inputs = {
        port: [_link(str(item)) for item in (source if isinstance(source, list) else [source])]
        for port, source in (table.get("inputs") or {}).items()
    }
    return PipelineStep(
        name,
        str(table["step"]),
        str(table.get("config") or "default"),
        inputs,
        dict(table.get("set") or {}),
        table.get("gpus"),
        table.get("nodes"),
        table.get("profile"),
    )


def _link(text: str) -> Link:
    name, _, output = text.partition(".")
    return Link(name, output or None)
