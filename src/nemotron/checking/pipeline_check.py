"""Everything that is wrong with a pipeline: what the check of each step finds, on every edge."""

from __future__ import annotations

from dataclasses import replace

from nemotron.catalog.catalog import Catalog
from nemotron.checking.check import check_step
from nemotron.diagnostic import Diagnostic
from nemotron.planning.pipeline import Pipeline, missing_haves, requests
from nemotron.planning.request import StepRequest


def check_pipeline(
    pipeline: Pipeline, catalog: Catalog, gpus: int | None = None
) -> tuple[list[StepRequest], list[Diagnostic]]:
    """The request of each step, and every problem of each, named after its step; sorted, each once."""
    bound = list(requests(pipeline, catalog, gpus=gpus))
    found = list(missing_haves(pipeline))
    for request in bound:
        found += [_of_step(request, problem) for problem in check_step(request)]
    return bound, sorted(dict.fromkeys(found), key=Diagnostic.sort_key)


def _of_step(request: StepRequest, problem: Diagnostic) -> Diagnostic:
    return replace(problem, summary=f"{request.name}: {problem.summary}")
