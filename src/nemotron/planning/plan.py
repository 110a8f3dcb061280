"""From what a person has and wants to a plan: route, configs, facts. Reads the catalog and the haves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from nemotron.catalog.catalog import Catalog, Step
from nemotron.config.tree import MISSING, join_key, leaves
from nemotron.diagnostic import Diagnostic, Failure, error
from nemotron.hardware.gpu_table import GpuKind
from nemotron.hardware.shapes import shape_of
from nemotron.nearest import did_you_mean
from nemotron.planning.actions import Situation, actions_of
from nemotron.planning.configs import asks_a_service, config_for, gpus_for, left_empty, left_open
from nemotron.planning.have import Have, facts_of, parse_have
from nemotron.planning.leftovers import without_use
from nemotron.planning.nodes import Node, nodes_of, outputs_used
from nemotron.planning.problem import Derivation, Given, Problem
from nemotron.planning.reasons import not_gone_through, nothing_makes, steps_of, unused, why, why_not
from nemotron.planning.search import search
from nemotron.planning.unify import Draft, unify
from nemotron.planning.usable import require_library, require_steps, set_and_only_named, usable_steps

ALTERNATIVES = 3


@dataclass(frozen=True)
class PlanWish:
    """What is asked for. `settings` are the user's own values: step of the plan → config key → value."""

    want: str
    haves: list[Have]
    model: str | None = None
    gpus: int | None = None
    gpu: GpuKind | None = None
    nodes: int | None = None
    through: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    library: str | None = None
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Alternative:
    """A route that was not chosen, and what decided."""

    steps: list[str]
    cost: float
    why: str


@dataclass(frozen=True)
class Question:
    """A value that nobody can know but the person: where it goes, what to ask, and how it is said."""

    key: str
    question: str
    answer: str


@dataclass
class Plan:
    """A plan: its steps with their configs and settings, why it is this one, and what is still to be said."""

    wish: PlanWish
    draft: Draft
    why: list[str]
    alternatives: list[Alternative]
    questions: list[Question]
    problems: list[Diagnostic]

    @property
    def nodes(self) -> list[Node]:
        return self.draft.nodes


def make_plan(wish: PlanWish, catalog: Catalog) -> Plan:
    """The best plan whose facts agree. Failure NMT280 or NMT285 where nothing makes it, NMT301, NMT110."""
    wish = with_model(wish, catalog)
    steps = {step.id: step for step in catalog.steps()[0]}
    require_steps(steps, (*wish.through, *wish.without))
    catalog.types.require(wish.want)
    require_library(steps.values(), wish.library)
    situation = situation_of(wish)
    wish = replace(wish, through=tuple(dict.fromkeys([*wish.through, *set_and_only_named(wish, steps)])))
    usable = usable_steps(steps.values(), wish, catalog.types)
    problem = problem_of(wish, usable, catalog, situation)
    derivations = search(problem, ALTERNATIVES + 1)
    if not derivations:  # what does not belong together is told by its facts
        derivations = search(replace(problem, identities=frozenset()), ALTERNATIVES + 1)
    if not derivations:
        raise Failure(nothing_makes(wish.want, wish.haves, usable, catalog))
    contradictions: dict[int, list[Diagnostic]] = {}
    for number, derivation in enumerate(derivations):
        try:
            draft = _draft(wish, derivation, catalog, steps)
        except Failure as failure:  # a setting of the user's is for a step that this one does not have
            if number == 0:
                raise
            contradictions[number] = failure.diagnostics
            continue
        found = unify(draft)
        if not found:
            return _plan(wish, draft, derivations, number, contradictions, steps, situation)
        contradictions[number] = found
    raise Failure(contradictions[0])


def with_model(wish: PlanWish, catalog: Catalog) -> PlanWish:
    """`--model` is one more thing at hand: a name or an alias of the catalog's models, or a folder."""
    if wish.model is None:
        return wish
    models = {m.name: m for step in catalog.steps()[0] for m in step.manifest.models}
    aliases = {alias.lower(): m.name for m in models.values() for alias in (m.name, *m.aliases)}
    name = aliases.get(wish.model.lower(), wish.model)
    if any(have.hub == name for have in wish.haves):
        return wish
    base = replace(parse_have(f"base:checkpoint_hf={name}", catalog.types), why="--model")
    return replace(wish, haves=[*wish.haves, base], model=name)


def situation_of(wish: PlanWish) -> Situation:
    """What the preferences look at: the hardware, and the largest model at hand."""
    shapes = [shape_of(h.hub or str(h.path)) for h in wish.haves if h.type == "checkpoint_hf"]
    sizes = [shape.parameters for shape in shapes if shape is not None and shape.parameters]
    per_node = wish.gpu.per_node if wish.gpu else 8
    nodes = wish.nodes or (None if wish.gpus is None else max(1, -(-wish.gpus // per_node)))
    memory = wish.gpu.memory_gib if wish.gpu else None
    return Situation(wish.want, wish.gpus, nodes, memory, max(sizes, default=None), wish.library)


def problem_of(wish: PlanWish, steps: Iterable[Step], catalog: Catalog, situation: Situation) -> Problem:
    """The plan as the search sees it."""
    types, steps = catalog.types, list(steps)
    return Problem(
        wish.want,
        tuple(Given(have.name, have.type, facts_of(have)) for have in wish.haves),
        tuple(actions_of(steps, situation)),
        {
            name: list(dict.fromkeys([*types.ancestors(name), *types.conditions(name)]))
            for name in types.types
        },
        wish.through,
        {name: kind.where for name, kind in types.types.items()},
        {name: types.conditions(name) for name in types.types},
        frozenset(step for kind in types.types.values() for step in kind.convert_to.values()),
        {step.id: step.manifest.step.follows for step in steps},
        frozenset(name for name, fact in types.facts.items() if fact.kind == "model"),
    )


def _draft(wish: PlanWish, derivation: Derivation, catalog: Catalog, steps: dict[str, Step]) -> Draft:
    nodes = nodes_of(derivation, steps)
    haves = {have.name: have for have in wish.haves}
    unknown = sorted(wish.settings.keys() - {node.name for node in nodes})
    if unknown:
        names = [node.name for node in nodes]
        fix = did_you_mean(unknown[0], names) or f"the steps of the plan are: {', '.join(names)}"
        raise Failure(error("NMT271", f"the plan has no step '{unknown[0]}' to set a key of", fix=fix))
    used = outputs_used(nodes, derivation)
    configs = {
        node.name: config_for(steps[node.step], node, haves, used[node.name], on_cpu=wish.gpus == 0)
        for node in nodes
    }
    counts = {node.name: gpus_for(steps[node.step], configs[node.name], wish.gpus) for node in nodes}
    counts |= {node.name: 0 for node in nodes if asks_a_service(steps[node.step], node, catalog.types)}
    return Draft(
        catalog,
        haves,
        nodes,
        configs,
        {name: count for name, count in counts.items() if count is not None},
        {name: dict(keys) for name, keys in wish.settings.items()},
        _hosts(wish, counts),
        {
            n.name: {
                **dict(left_empty(steps[n.step], configs[n.name], n, catalog.types)),
                **dict(left_open(steps[n.step], configs[n.name], used[n.name])),
            }
            for n in nodes
        },
    )


def _hosts(wish: PlanWish, counts: Mapping[str, int | None]) -> dict[str, int]:
    """The machines of each step that takes more GPUs than one of them has."""
    if wish.nodes is None or wish.gpus is None or wish.nodes == 1:
        return {}
    per_node = -(-wish.gpus // wish.nodes)
    return {name: wish.nodes for name, count in counts.items() if count is not None and count > per_node}


def _plan(
    wish: PlanWish,
    draft: Draft,
    derivations: list[Derivation],
    chosen: int,
    contradictions: dict[int, list[Diagnostic]],
    steps: dict[str, Step],
    situation: Situation,
) -> Plan:
    best = derivations[chosen]
    others = [
        Alternative(
            steps_of(d, steps), d.cost, why_not(d, best, wish, steps, situation, contradictions.get(n))
        )
        for n, d in enumerate(derivations)
        if n != chosen
    ]
    left = [have for bit, have in enumerate(wish.haves) if not best.uses >> bit & 1]
    problems = [unused(have, steps, draft.catalog.types) for have in without_use(draft, left)]
    avoided = [s for n, s in enumerate(wish.through) if not best.uses >> (len(wish.haves) + n) & 1]
    problems += [not_gone_through(steps[step]) for step in avoided]
    return Plan(wish, draft, why(best, steps, situation), others, _questions(draft, wish), problems)


def _questions(draft: Draft, wish: PlanWish) -> list[Question]:
    """What is `???` in the resolved configs, and the GPUs where nobody named them."""
    asked: list[Question] = []
    needs_gpus = any(draft.requests[node.name].gpus for node in draft.nodes)
    if wish.gpus is None and needs_gpus:
        asked.append(
            Question(
                "hardware.gpus_per_node", "How many GPUs are there, of which kind?", "--gpus N --gpu KIND"
            )
        )
    for node in draft.nodes:
        request = draft.requests[node.name]
        manifest = request.step.manifest
        told = {p.key: p.description for p in manifest.parameters} | {
            p.at: p.description for p in manifest.consumes
        }
        taken = {p.at: p.type for p in manifest.consumes}
        for path, value in leaves(request.config.tree):
            if value == MISSING and path not in request.config.following:
                key = join_key(path)
                answer = f"--have {taken[key]}=SOURCE" if key in taken else f"--set {node.name}.{key}=VALUE"
                asked.append(Question(f"{node.name}.{key}", told.get(key, "A value is needed."), answer))
    return asked
