"""CATALOG.md: from a need to the step that meets it, with when to pick it and when not. Pure."""

from __future__ import annotations

from itertools import groupby

from nemotron.catalog.catalog import Step
from nemotron.catalog.manifest import Condition, Consumes, Prefer, Produces
from nemotron.reporting.references.markdown import (
    Lines,
    anchor,
    code,
    codes,
    header,
    paragraph,
    points,
    prose,
    table,
)

# How a condition of a preference reads, by the key that it compares.
_WORDS = {
    "gpus": "{} GPUs",
    "nodes": "{} nodes",
    "gpu_memory_gib": "GPUs of {} GiB",
    "model_parameters": "a model of {} parameters",
    "want": "`{}` wanted",
    "library": "the library `{}`",
}
_FEW = {"0": "no GPU", "<=0": "no GPU", ">0": "any GPU", "1": "one GPU", "<=1": "one GPU"}
_SIGNS = {"<=": "at most ", ">=": "at least ", "<": "fewer than ", ">": "more than "}


def catalog_page(steps: list[Step]) -> Lines:
    """The lines of the page."""
    yield from header("Catalog", "the manifests, `steps/**/step.toml`")
    yield from paragraph(
        "Find the need, then read the step's section: when to pick it, and when not.",
        "Chains of steps are for `nemotron pipeline plan` to find, which weighs the same preferences.",
        "`nemotron steps show STEP` has its keys, their limits, its known errors and what to read.",
        "[ARTIFACTS.md](ARTIFACTS.md) describes the types, [COMMANDS.md](COMMANDS.md) the commands.",
    )
    yield from ("## From a need to a step", "")
    yield from table(["Need", "Step", "Takes → makes"], map(_route, steps))
    for category, members in groupby(steps, key=lambda step: step.category):
        yield from (f"## {category}", "")
        for step in members:
            yield from _section(step)


def _route(step: Step) -> list[str]:
    """A line of the first table: optional inputs are left to the step's section."""
    manifest = step.manifest
    taken = dict.fromkeys(port.type for port in manifest.consumes if port.required and not port.one_of)
    chosen = dict.fromkeys(port.type for port in manifest.consumes if port.one_of)
    takes = [*map(code, taken), *([" or ".join(map(code, chosen))] if chosen else [])]
    makes = codes(dict.fromkeys(port.type for port in manifest.produces))
    return [prose(manifest.step.summary), _link(step.id), f"{', '.join(takes) or 'nothing'} → {makes}"]


def _section(step: Step) -> Lines:
    head = step.manifest.step
    yield from (f"### {step.id}", "", f"{prose(head.summary)} [More](../steps/{step.id}/README.md)", "")
    on = f"{head.gpus} GPUs by default" if head.gpus > 1 else "one GPU by default" if head.gpus else "no GPU"
    with_library = f"library `{head.library}`" if head.library else "no library"
    facts = [
        f"**Takes** {_inputs(step)}",
        f"**Makes** {_outputs(step)}",
        f"**Needs** {with_library}, {on}",
    ]
    if head.follows:
        facts.append(f"**Comes after** steps of {codes(head.follows)}, where a plan has both")
    yield from points(facts)
    yield from _reasons("Pick it when", [prose(text) for text in head.pick_when])
    avoid = [prose(text) for text in head.not_when]
    if head.only_named:
        asked = f"`--through {step.id}`, a `--set` of its keys, or what nothing else makes"
        avoid.append(f"Nobody asked for it: a plan takes it only for {asked}.")
    yield from _reasons("Not when", avoid)
    yield from _reasons("What a plan weighs", [_preference(entry) for entry in step.manifest.prefer])
    models = (
        f"{code(m.name)}, from {_gpus(m.minimum_gpus)}: {prose(m.description)}" for m in step.manifest.models
    )
    yield from _reasons("Models that it is known to work with", list(models))
    advice = (f"{prose(f'{s.when} {s.then}')}{_pattern(s.pattern)}" for s in step.manifest.strategies)
    yield from _reasons("Advice", list(advice))


def _reasons(title: str, texts: list[str]) -> Lines:
    if texts:
        yield from (f"{title}:", "")
    yield from points(texts)


def _inputs(step: Step) -> str:
    ports = step.manifest.consumes
    groups = dict.fromkeys(port.one_of for port in ports if port.one_of)
    parts = [_port(port) for port in ports if port.required and not port.one_of]
    for group in groups:
        parts.append("one of " + " or ".join(_port(port) for port in ports if port.one_of == group))
    parts += [f"{_port(port)} if there is one" for port in ports if not port.required and not port.one_of]
    return "; ".join(parts) or "nothing"


def _outputs(step: Step) -> str:
    made = (_port(port) + (" where it applies" if port.optional else "") for port in step.manifest.produces)
    return "; ".join(made)


def _port(port: Consumes | Produces) -> str:
    link = f"[`{port.type}`](ARTIFACTS.md#{port.type})"
    return link if port.name == port.type else f"{link} (`{port.name}`)"


def _preference(entry: Prefer) -> str:
    sign = "less" if entry.cost > 0 else "more"
    return f"{sign} likely with {_condition(entry.if_)}: {prose(entry.why)}{_pattern(entry.pattern)}"


def _condition(condition: Condition) -> str:
    given = condition.model_dump(exclude_none=True)
    return " and ".join(_comparison(name, value) for name, value in given.items())


def _comparison(name: str, value: object) -> str:
    text = str(value)
    if name == "gpus" and text in _FEW:
        return _FEW[text]
    sign = next((sign for sign in _SIGNS if text.startswith(sign)), "")
    amount = text.removeprefix(sign)
    if name == "model_parameters":
        amount = f"{float(amount) / 1e9:g} billion"
    return _WORDS[name].format(_SIGNS.get(sign, "") + amount)


def _pattern(name: str | None) -> str:
    return f" ([{name}](../steps/patterns/{name}.md))" if name else ""


def _gpus(count: int) -> str:
    return "one GPU" if count == 1 else f"{count} GPUs"


def _link(identity: str) -> str:
    return f"[{identity}]({anchor(identity)})"
