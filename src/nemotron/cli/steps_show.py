"""`nemotron steps show`: everything in a step's manifest."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nemotron.catalog.catalog import Step, default_catalog
from nemotron.cli import complete
from nemotron.cli.output import print_json, short_path, width

if TYPE_CHECKING:
    from nemotron.catalog.manifest import FactRule, Parameter
    from nemotron.catalog.packs import Reading

EXAMPLES = "Examples: `nemotron steps show sft/automodel` · `nemotron steps show model_eval --json`"


def command(
    step: Annotated[
        str, typer.Argument(help="A step's id, or its unambiguous tail.", autocompletion=complete.step_ids)
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show a step: what it takes and makes, its keys, its configs, what may go wrong."""
    from nemotron.catalog.packs import reading_of

    catalog = default_catalog()
    found = catalog.find(step)
    reading = reading_of([found], catalog.roots)
    if as_json:
        manifest = found.manifest.model_dump(mode="json", by_alias=True, exclude_none=True)
        told = {"folder": str(found.folder), "configs": found.config_names(), **reading.as_dict()}
        print_json({**manifest, **told})
    else:
        print("\n".join(_lines(found, reading)))


def _lines(step: Step, reading: Reading) -> Iterator[str]:
    head = step.manifest.step
    yield f"{step.id}: {head.name}"
    yield from _wrapped(" ".join(head.description.split()))
    yield ""
    yield f"  version   {head.version}"
    yield f"  library   {head.library or 'none'}, started with {head.launch}"
    for other in step.manifest.libraries:
        keys = " ".join(f"{key}={value}" for key, values in other.when.items() for value in values)
        yield f"            {other.name} with {keys}"
    yield f"  GPUs      {head.gpus or 'none'}" + (", goes on where it stopped" if head.resumable else "")
    yield f"  configs   {', '.join(step.config_names())}"
    yield f"  tags      {', '.join(head.tags)}"
    yield f"  folder    {short_path(step.folder)}"
    yield from _ports(step)
    if step.manifest.parameters:
        yield "\nParameters"
        for parameter in step.manifest.parameters:
            yield f"  {parameter.key}{_limits(parameter)}"
            yield from _wrapped(parameter.description, "      ")
    yield from _layout(step)
    yield from _advice(step)
    yield "\nRead"
    for page in (step.folder / "README.md", *reading.pages):
        yield f"  {short_path(page)}"
    yield from reading.warnings
    yield f"\nRun it: nemotron steps run {step.id} -c {_smallest(step)}"


def _ports(step: Step) -> Iterator[str]:
    for title, ports in (("Takes", step.manifest.consumes), ("Makes", step.manifest.produces)):
        if ports:
            yield f"\n{title}"
        for port in ports:
            extras = []
            if getattr(port, "one_of", None):
                extras.append(f"exactly one of {port.one_of}")  # type: ignore[union-attr]
            elif not getattr(port, "required", True) or getattr(port, "optional", False):
                extras.append("optional")
            if getattr(port, "many", False):
                extras.append("several, each with a weight")
            named = f"{port.name}: {port.type}" if port.name != port.type else port.type
            yield f"  {named}  at {port.at}" + (f"  ({', '.join(extras)})" if extras else "")
            yield from _wrapped(port.description, "      ")
            for fact, rule in port.facts.items():
                yield f"      {fact}: {_fact(rule)}"


def _fact(rule: FactRule) -> str:
    if rule.keys:
        return "equals " + " and ".join(rule.keys)
    forms: list[tuple[Any, str]] = [
        (rule.value, f"is {rule.value}"),
        (rule.from_, f"as in {rule.from_}"),
        (rule.measured, "known after the run"),
        (rule.same_as, f"equals {rule.same_as}"),
        (rule.at_least, f"at least {rule.at_least}"),
        (rule.at_most, f"at most {rule.at_most}"),
        (rule.multiple_of, f"a multiple of {rule.multiple_of}"),
        (rule.unless, f"must be there, unless {rule.unless} is set"),
    ]
    text = next(text for value, text in forms if value not in (None, False))
    return f"{text}, or {rule.unless} where it is set" if rule.from_ and rule.unless else text


def _limits(parameter: Parameter) -> str:
    parts: list[str] = [parameter.type]
    if parameter.choices:
        parts.append(" | ".join(str(choice) for choice in parameter.choices))
    if parameter.minimum is not None or parameter.maximum is not None:
        low = "" if parameter.minimum is None else f"{parameter.minimum:g}"
        high = "" if parameter.maximum is None else f"{parameter.maximum:g}"
        parts.append(f"{low}…{high}")
    if parameter.default is not None:
        parts.append(f"default {parameter.default}")
    if parameter.required:
        parts.append("required")
    return f"  ({', '.join(parts)})"


def _layout(step: Step) -> Iterator[str]:
    if step.manifest.parallelism is not None:
        given = step.manifest.parallelism.model_dump(exclude_none=True)
        yield f"\nParallel layout (rules: {given.pop('rules')})"
        for name, key in given.items():
            yield f"  {name.replace('_', ' '):<18}{key}"
    if step.manifest.models:
        yield "\nModels"
    for model in step.manifest.models:
        default = ", the default" if model.default else ""
        yield f"  {model.name}  (at least {model.minimum_gpus} GPUs{default})"


def _advice(step: Step) -> Iterator[str]:
    head = step.manifest.step
    for title, sentences in (("Pick it when", head.pick_when), ("Not when", head.not_when)):
        if sentences:
            yield f"\n{title}"
        for sentence in sentences:
            yield from _wrapped(sentence, "  ")
    if step.manifest.credentials:
        yield "\nVariables with credentials"
    for variable, when in step.manifest.credentials.items():
        yield from _wrapped(f"{variable}: {when}", "  ")
    if step.manifest.strategies:
        yield "\nAdvice"
    for strategy in step.manifest.strategies:
        yield from _wrapped(f"{strategy.when} {strategy.then}", "  ")
    if step.manifest.errors:
        yield "\nKnown errors"
    for known in step.manifest.errors:
        yield f"  {known.id}"
        yield from _wrapped(known.recovery, "      ")


def _smallest(step: Step) -> str:
    return "tiny" if "tiny" in step.config_names() else "default"


def _wrapped(text: str, indent: str = "  ") -> list[str]:
    return textwrap.wrap(text, min(width(), 100), initial_indent=indent, subsequent_indent=indent)
