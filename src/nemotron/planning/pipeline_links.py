"""The links of a pipeline: whether each leads somewhere, and an order in which the steps can run. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nemotron.catalog.catalog import Catalog
from nemotron.diagnostic import Diagnostic, Failure, Place, error
from nemotron.nearest import did_you_mean
from nemotron.planning.nodes import Link

if TYPE_CHECKING:
    from nemotron.planning.pipeline import Pipeline, PipelineStep


def wrong_links(pipeline: Pipeline, catalog: Catalog) -> Iterator[Diagnostic]:
    """NMT110 for unknown steps; else NMT271 and NMT274 for inputs that lead nowhere.

    A link that names a step with one output gets that output.
    """
    names = {step.name: step for step in pipeline.steps}
    for step in pipeline.steps:
        if step.step not in catalog.folders:
            where = pipeline.place("steps", step.name, "step")
            fix = did_you_mean(step.step, catalog.folders)
            yield error("NMT110", f"there is no step '{step.step}'", where=where, fix=fix)
    if any(step.step not in catalog.folders for step in pipeline.steps):
        return
    for step in pipeline.steps:
        ports = {port.name: port for port in catalog.step(step.step).manifest.consumes}
        for port, links in step.inputs.items():
            where = pipeline.place("steps", step.name, "inputs", port)
            if port not in ports:
                fix = did_you_mean(port, ports) or f"its inputs are: {', '.join(ports)}"
                yield error("NMT274", f"{step.step} has no input '{port}'", where=where, fix=fix)
            for number, link in enumerate(links):
                if link.name not in names and link.name not in pipeline.haves:
                    fix = did_you_mean(link.name, [*names, *pipeline.haves])
                    yield error("NMT271", f"there is no have and no step '{link.name}'", where=where, fix=fix)
                elif link.name in names:
                    made = catalog.step(names[link.name].step).manifest.produces
                    yield from _resolved(links, number, link, [p.name for p in made], where)


def _resolved(
    links: list[Link], number: int, link: Link, outputs: list[str], where: Place | None
) -> Iterator[Diagnostic]:
    """Write the output into a link that names a step with one; NMT274 where it is unknown or open."""
    if link.output is None and len(outputs) == 1:
        links[number] = Link(link.name, outputs[0])
    elif link.output not in outputs:
        options = ", ".join(f"{link.name}.{output}" for output in outputs)
        what = (
            f"'{link.name}' has no output '{link.output}'"
            if link.output
            else f"which output of '{link.name}'?"
        )
        yield error("NMT274", what, where=where, fix=f"one of: {options}")


def in_order(pipeline: Pipeline) -> list[PipelineStep]:
    """The steps so that each comes after what it needs; else as they stand. Failure NMT272 for a cycle."""
    ordered: list[PipelineStep] = []
    left = list(pipeline.steps)
    while left:
        done = {step.name for step in ordered}
        open_names = {step.name for step in left}
        ready = next((s for s in left if not (set(s.needs()) & open_names) - done), None)
        if ready is None:
            names = " → ".join(step.name for step in left)
            raise Failure(
                error(
                    "NMT272", f"steps need each other: {names}", where=pipeline.place("steps", left[0].name)
                )
            )
        ordered.append(ready)
        left.remove(ready)
    return ordered
