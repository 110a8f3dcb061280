"""ARTIFACTS.md: the artifact types, who makes and who takes each, and the graph that they span. Pure."""

from __future__ import annotations

from nemotron.catalog.catalog import Step
from nemotron.catalog.types import ArtifactType, Detect, Types
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


def artifacts_page(types: Types, steps: list[Step]) -> Lines:
    """The lines of the page."""
    yield from header("Artifacts", "`steps/types.toml` and the manifests, `steps/**/step.toml`")
    yield from paragraph(
        "Every file or folder that goes from one step to the next has a type.",
        "A step that takes a type also takes every type that is one (*is a*).",
        "Facts travel with an artifact: a step whose config contradicts one is refused before it runs.",
        "`nemotron artifacts show PATH` says what something is, and what is known of it.",
    )
    yield from ("## Types", "")
    rows = (
        [f"[{name}]({anchor(name)})", _parent(kind), prose(kind.description)]
        for name, kind in types.types.items()
    )
    yield from table(["Type", "Is a", "What it is"], rows)
    yield from ("## What makes what", "")
    yield from paragraph(
        "Boxes are steps, rounded boxes are artifacts. A dashed line is an input that a step can do without,",
        "or one of several that it takes.",
    )
    yield from ("```mermaid", *_graph(steps, types), "```", "")
    yield from ("## Each type", "")
    for name, kind in types.types.items():
        yield from _section(name, kind, types, steps)
    yield from ("## Facts", "")
    yield from table(
        ["Fact", "What it is"], ([code(n), prose(fact.description)] for n, fact in types.facts.items())
    )


def _section(name: str, kind: ArtifactType, types: Types, steps: list[Step]) -> Lines:
    yield from (f"### {name}", "", prose(kind.description), "")
    makers = [s.id for s in steps if any(types.accepts(name, port.type) for port in s.manifest.produces)]
    takers = [s.id for s in steps if any(types.accepts(port.type, name) for port in s.manifest.consumes)]
    told = []
    if kind.is_a is not None:
        where = ", ".join(f"`{fact}` is `{value}`" for fact, value in kind.where.items())
        told.append(f"Is a {_type(kind.is_a)}" + (f", where {where}" if where else ""))
    for other, facts in kind.also.items():
        where = ", ".join(f"`{fact}` is `{value}`" for fact, value in facts.items())
        told.append(f"Is a {_type(other)} too, where {where}")
    told += [f"Made by: {_links(makers)}", f"Taken by: {_links(takers)}"]
    told += [f"Becomes {_type(target)} with {_links([step])}" for target, step in kind.convert_to.items()]
    told.append(f"Facts: {codes(sorted(types.facts_of(name)), none='none')}")
    if keys := types.record_keys(name):
        told.append(f"Each record has one of: {codes(keys)}")
    if recognised := [_detection(entry) for entry in kind.detect]:
        told.append(f"Recognised by {', or '.join(recognised)}")
    yield from points(told)


def _graph(steps: list[Step], types: Types) -> Lines:
    """A Mermaid flowchart; ids are numbered, as a type may be called like a word of the language."""
    ids = {name: f"t{number}" for number, name in enumerate(types.types)}
    taken = {port.type for step in steps for port in step.manifest.consumes}
    used = taken.union(port.type for step in steps for port in step.manifest.produces)
    yield "flowchart LR"
    yield from (f'  {ids[name]}(["{name}"])' for name in types.types if name in used)
    for number, step in enumerate(steps):
        yield f'  s{number}["{step.id}"]'
        needed = {p.type for p in step.manifest.consumes if p.required and not p.one_of}
        for kind in dict.fromkeys(port.type for port in step.manifest.consumes):
            yield f"  {ids[kind]} {'-->' if kind in needed else '-.->'} s{number}"
        yield from (
            f"  s{number} --> {ids[k]}" for k in dict.fromkeys(p.type for p in step.manifest.produces)
        )


def _detection(entry: Detect) -> str:
    kind = "a folder" if entry.dir else f"a file {code(entry.file or '*')}"
    inside = codes(filter(None, (entry.contains, entry.glob)), none="")
    has = [f"with {inside}"] if inside else []
    if entry.json_keys:
        has.append(f"whose records have {codes(entry.json_keys)}")
    if entry.parquet_columns:
        has.append(f"with the columns {codes(entry.parquet_columns)}")
    return " ".join([kind, *has])


def _parent(kind: ArtifactType) -> str:
    return _type(kind.is_a) if kind.is_a else ""


def _type(name: str) -> str:
    return f"[`{name}`]({anchor(name)})"


def _links(identities: list[str]) -> str:
    return ", ".join(f"[{name}](CATALOG.md{anchor(name)})" for name in identities) or "no step"
