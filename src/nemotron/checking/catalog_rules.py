"""Does a manifest fit its configs, the artifact types and itself? Pure functions over what was read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nemotron.catalog.catalog import Step
from nemotron.catalog.manifest import Consumes, FactRule
from nemotron.catalog.types import Types
from nemotron.checking.catalog_files import StepFiles, ports
from nemotron.diagnostic import Diagnostic, Related, error
from nemotron.nearest import did_you_mean

_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_NOT_KEYS = {"config", "gpus", "nodes", "gpus_per_node", "overrides"}
ManifestPath = tuple[str | int, ...]


@dataclass(frozen=True)
class Scope:
    """What a manifest may name besides its own keys."""

    types: Types
    patterns: frozenset[str]


Rule = Callable[[StepFiles, Scope], Iterable[Diagnostic]]


def types_exist(files: StepFiles, scope: Scope) -> Iterator[Diagnostic]:
    """Every port's type, and what a preference says is wanted."""
    named: list[tuple[str, ManifestPath]] = [(p.type, (t, i, "type")) for t, i, p in ports(files.step)]
    for index, preference in enumerate(files.step.manifest.prefer):
        if preference.if_.want is not None:
            named.append((preference.if_.want, ("prefer", index, "if")))
    for name, path in named:
        if name not in scope.types:
            fix = did_you_mean(name, scope.types.types) or "define it in the types.toml of your catalog"
            yield error("NMT105", f"there is no artifact type '{name}'", where=files.place(*path), fix=fix)


def keys_exist(files: StepFiles, scope: Scope) -> Iterator[Diagnostic]:
    """Every config key that the manifest names is in a shipped config, or the library reads it."""
    if files.default is None:
        return  # then nobody can say, and that is reported
    for key, path in _named_keys(files.step):
        is_output = path[0] == "produces" and path[-1] == "at"
        if not (files.has_output_key(key) if is_output else files.has_key(key)):
            yield error(
                "NMT113",
                f"no shipped config has the key '{key}'",
                where=files.place(*path),
                fix=did_you_mean(key, files.keys()) or f"correct it, or add {key}: null to default.yaml",
            )


def facts_are_known(files: StepFiles, scope: Scope) -> Iterator[Diagnostic]:
    """A port states facts that exist and that its type carries."""
    types = scope.types
    for table, index, port in ports(files.step):
        for fact in port.facts:
            where = (table, index, "facts", fact)
            carried = types.facts_of(port.type) if port.type in types else set(types.facts)
            if fact not in types.facts:
                hint = did_you_mean(fact, carried or types.facts) or f"the facts are: {_listed(types.facts)}"
                yield error("NMT114", f"there is no fact '{fact}'", where=files.place(*where), fix=hint)
            elif fact not in carried:
                yield error(
                    "NMT114",
                    f"the type '{port.type}' does not carry the fact '{fact}'",
                    where=files.place(*where),
                    fix=f"take it out, or add it to `facts` of [types.{port.type}]",
                )


def references_resolve(files: StepFiles, scope: Scope) -> Iterator[Diagnostic]:
    """`from` and `same_as` name an input of the step, and a fact that it carries."""
    inputs = {port.name: port for port in files.step.manifest.consumes}
    for table, index, port in ports(files.step):
        for fact, rule in port.facts.items():
            for form, reference in (("from", rule.from_), ("same_as", rule.same_as)):
                problem = _bad_reference(reference, inputs, scope.types) if reference else None
                if problem is not None:
                    where = files.place(table, index, "facts", fact)
                    yield error("NMT115", f"`{form}`: {problem[0]}", where=where, fix=problem[1])


def groups_have_alternatives(files: StepFiles, scope: Scope) -> Iterator[Diagnostic]:
    """A `one_of` group is a choice: it has at least two ports."""
    groups: dict[str, list[int]] = {}
    for index, port in enumerate(files.step.manifest.consumes):
        if port.one_of is not None:
            groups.setdefault(port.one_of, []).append(index)
    for name, members in groups.items():
        if len(members) == 1:
            yield error(
                "NMT117",
                f"the group '{name}' has one port, so there is nothing to choose",
                where=files.place("consumes", members[0], "one_of"),
                fix=did_you_mean(name, groups.keys() - {name}) or f'take one_of = "{name}" out',
            )


def patterns_exist(files: StepFiles, scope: Scope) -> Iterator[Diagnostic]:
    """Strategies and preferences cite pages that are there."""
    manifest = files.step.manifest
    cited = [("strategies", i, s.pattern) for i, s in enumerate(manifest.strategies)]
    cited += [("prefer", i, p.pattern) for i, p in enumerate(manifest.prefer)]
    for table, index, pattern in cited:
        if pattern is not None and pattern not in scope.patterns:
            yield error(
                "NMT119",
                f"no page describes the pattern '{pattern}'",
                where=files.place(table, index, "pattern"),
                fix=did_you_mean(pattern, scope.patterns) or f"write patterns/{pattern}.md",
            )


def lists_of_names_are_there(files: StepFiles, scope: Scope) -> Iterator[Diagnostic]:
    """A parameter's file of names lies in the step's folder, and has some."""
    for index, parameter in enumerate(files.step.manifest.parameters):
        if parameter.names is not None and not files.step.names_in(parameter.names):
            yield error(
                "NMT120",
                f"'{parameter.key}' takes the names in {parameter.names}, which is not there, or is empty",
                where=files.place("parameters", index, "names"),
                fix=f"write {parameter.names} beside step.toml, a name a line",
            )


def folder_is_complete(files: StepFiles, scope: Scope) -> Iterator[Diagnostic]:
    """A step has a README and a default.yaml, and its configs read."""
    for name in ("README.md", "config/default.yaml"):
        if not (files.step.folder / name).is_file():
            yield error(
                "NMT120",
                f"the step has no {name}",
                where=files.place("step", "id"),
                fix=f"write {files.step.folder / name}",
            )
    yield from files.unreadable()


def conversions_convert(
    types: Types, steps: Mapping[str, Step | None], among: Iterable[str]
) -> Iterator[Diagnostic]:
    """`convert_to` of the types `among` names steps that take the type and make the other one.

    `steps` are all by their ids; of one that does not parse, or is not read, nothing is said.
    """
    for name in among:
        for target, identity in types[name].convert_to.items():
            problem = _bad_conversion(types, steps, name, target, identity)
            if problem is not None:
                code, summary, fix, related = problem
                yield error(code, summary, where=types.place(name, "convert_to"), fix=fix, related=related)


def _bad_conversion(
    types: Types, steps: Mapping[str, Step | None], source: str, target: str, identity: str
) -> tuple[str, str, str, tuple[Related, ...]] | None:
    if target not in types:
        summary = f"'{source}' converts to '{target}', which is no artifact type"
        return "NMT105", summary, did_you_mean(target, types.types), ()
    if identity not in steps:
        hint = did_you_mean(identity, steps) or "`nemotron steps list` shows the steps"
        return "NMT112", f"'{source}' is converted by '{identity}', which is no step", hint, ()
    step = steps[identity]
    if step is None:
        return None
    manifest = step.manifest
    takes = any(p.type in types and types.accepts(p.type, source) for p in manifest.consumes)
    makes = any(p.type in types and types.accepts(target, p.type) for p in manifest.produces)
    if takes and makes:
        return None
    missing = f"make '{target}'" if takes else f"take '{source}'"
    fitting = [s.id for s in steps.values() if s and _converts(types, s, source, target)]
    fix = f'{target} = "{fitting[0]}"' if fitting else f"take {target} out of convert_to"
    place = StepFiles(step).place("produces" if takes else "consumes", 0)
    related = (Related(place, "what the step has"),)
    return "NMT112", f"'{source}' is converted by '{identity}', which does not {missing}", fix, related


def _converts(types: Types, step: Step, source: str, target: str) -> bool:
    return any(p.type in types and types.accepts(p.type, source) for p in step.manifest.consumes) and any(
        p.type in types and types.accepts(target, p.type) for p in step.manifest.produces
    )


def _named_keys(step: Step) -> Iterator[tuple[str, ManifestPath]]:
    """Every config key in a manifest, with the place in the manifest that names it."""
    manifest = step.manifest
    for index, consumed in enumerate(manifest.consumes):
        yield consumed.at, ("consumes", index, "at")
        if consumed.field_at is not None:
            yield consumed.field_at, ("consumes", index, "field_at")
        if consumed.newest_if is not None:
            yield consumed.newest_if, ("consumes", index, "newest_if")
    for index, produced in enumerate(manifest.produces):
        yield produced.at, ("produces", index, "at")
        yield from ((key, ("produces", index, "when", key)) for key in produced.when)
        if produced.with_key is not None:
            yield produced.with_key, ("produces", index, "with_key")
    for table, index, port in ports(step):
        for fact, rule in port.facts.items():
            yield from ((key, (table, index, "facts", fact)) for key in _fact_keys(rule))
    for index, parameter in enumerate(manifest.parameters):
        yield parameter.key, ("parameters", index, "key")
        if parameter.less_than is not None:
            yield parameter.less_than, ("parameters", index, "less_than")
        if parameter.names_unless is not None:
            yield parameter.names_unless, ("parameters", index, "names_unless")
    for index, memory in enumerate(manifest.memory):
        yield from ((key, ("memory", index, "when", key)) for key in memory.when)
    for index, other in enumerate(manifest.libraries):
        yield from ((key, ("libraries", index, "when", key)) for key in other.when)
    yield from ((key, ("key_ignores",)) for key in manifest.key_ignores)
    for name, value in manifest.parallelism or ():
        if isinstance(value, str) and name != "rules":
            yield value, ("parallelism", name)
    if manifest.upstream is not None:
        words = " ".join(manifest.upstream.argv)
        yield from ((k, ("upstream", "argv")) for k in _PLACEHOLDER.findall(words) if k not in _NOT_KEYS)
        if manifest.upstream.flags is not None:
            yield manifest.upstream.flags, ("upstream", "flags")


def _fact_keys(rule: FactRule) -> Iterator[str]:
    yield from rule.keys
    for key in (rule.unless, rule.at_least, rule.at_most, rule.multiple_of):
        if key is not None:
            yield key


def _bad_reference(reference: str, inputs: dict[str, Consumes], types: Types) -> tuple[str, str] | None:
    """What is wrong with PORT.FACT, and the fix."""
    port, dot, fact = reference.partition(".")
    if not dot:
        return f"'{reference}' is not PORT.FACT", f"name an input and its fact: {reference}.FACT"
    if port not in inputs:
        hint = did_you_mean(port, inputs) or f"the inputs are: {_listed(inputs)}"
        return f"the step has no input '{port}'", hint
    kind = inputs[port].type
    if kind in types and fact not in (carried := types.facts_of(kind)):
        hint = did_you_mean(fact, carried) or f"its facts are: {_listed(carried)}"
        return f"the input '{port}' ({kind}) carries no fact '{fact}'", hint
    return None


def _listed(names: Iterable[Any]) -> str:
    return ", ".join(sorted(names)) or "none"
