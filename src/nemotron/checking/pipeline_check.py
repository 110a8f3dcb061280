"""Everything that is wrong with a pipeline: what the check of each step finds, on every edge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from nemotron.catalog.catalog import Catalog
from nemotron.checking.check import check_step
from nemotron.diagnostic import Diagnostic, Related, error
from nemotron.planning.pipeline import Pipeline, missing_haves, requests
from nemotron.planning.promises import in_the_way, is_made_by
from nemotron.planning.request import StepRequest


def check_pipeline(
    pipeline: Pipeline, catalog: Catalog, gpus: int | None = None
) -> tuple[list[StepRequest], list[Diagnostic]]:
    """The request of each step, and every problem of each, named after its step; sorted, each once."""
    bound = list(requests(pipeline, catalog, gpus=gpus))
    found = [*missing_haves(pipeline), *_places_apart(pipeline, bound)]
    found += [*_not_made(pipeline, bound), *_wanted_is_made(pipeline, bound)]
    for request in bound:
        found += [_of_step(request, problem) for problem in check_step(request)]
    return bound, sorted(dict.fromkeys(found), key=Diagnostic.sort_key)


def _not_made(pipeline: Pipeline, bound: list[StepRequest]) -> Iterator[Diagnostic]:
    """A step takes an output that its producer does not make with its config."""
    producers = {request.name: request for request in bound}
    for step in pipeline.steps:
        for port, link in ((port, link) for port, links in step.inputs.items() for link in links):
            if link.output is None:
                continue
            request = producers[link.name]
            output = request.step.produces(link.output)
            for key, wanted in in_the_way(output, request.config.document):
                value = request.config.document.get(key)
                yield error(
                    "NMT309",
                    f"{step.name} takes {link}, which {link.name} does not make: {key} is {_shown(value)}",
                    where=pipeline.place("steps", step.name, "inputs", port),
                    related=_set_at(request, key),
                    fix=f"{key}={wanted} for {link.name}",
                )


def _wanted_is_made(pipeline: Pipeline, bound: list[StepRequest]) -> Iterator[Diagnostic]:
    """What the file wants is made by a step, where one could make it."""
    types = bound[0].types if bound else None
    makers = [
        (request, port)
        for request in bound
        for port in request.step.manifest.produces
        if types is not None and pipeline.want is not None and types.accepts(pipeline.want, port.type)
    ]
    if any(is_made_by(port, request.config.document) for request, port in makers):
        return
    for request, port in makers[-1:]:
        for key, wanted in in_the_way(port, request.config.document):
            value = _shown(request.config.document.get(key))
            yield error(
                "NMT309",
                f"{pipeline.want} is wanted, which {request.name} does not make: {key} is {value}",
                where=pipeline.place("want"),
                related=_set_at(request, key),
                fix=f"{key}={wanted} for {request.name}",
            )


def _shown(value: object) -> str:
    return "not set" if value is None else str(value)


def _set_at(request: StepRequest, key: str) -> tuple[Related, ...]:
    place = request.config.document.place(key)
    return (Related(place, f"{request.name} has {key} here"),) if place is not None else ()


def _places_apart(pipeline: Pipeline, bound: list[StepRequest]) -> Iterator[Diagnostic]:
    """One run is in one place: on this machine, or on one cluster."""
    for request in bound[1:]:
        first, here = _place_of(bound[0]), _place_of(request)
        if first != here:
            yield error(
                "NMT628",
                f"{request.name} runs {here}, and {bound[0].name} runs {first}: a run is in one place",
                where=pipeline.place("steps", request.name, "profile"),
                fix="profiles of one cluster for all steps; or --run PROFILE for those that name none",
            )


def _place_of(request: StepRequest) -> str:
    profile = request.profile
    if profile is None or profile.is_local:
        return "on this machine"
    host = "@".join(filter(None, (profile.user, profile.host))) or "this machine"
    port = f":{profile.port}" if profile.port else ""
    key = f" with {profile.identity}" if profile.identity else ""
    return f"through {profile.executor} at {host}{port}{key} in {profile.remote_job_dir}"


def _of_step(request: StepRequest, problem: Diagnostic) -> Diagnostic:
    return replace(problem, summary=f"{request.name}: {problem.summary}")
