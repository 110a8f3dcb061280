"""Facts along the edges of a plan: what nobody has fixed follows from what somebody has. Resolves configs.

What the user set wins, then what a have says, then a config's default. A change is written down with the
reason, for the comment in the pipeline file.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from nemotron.artifacts.record import FactValue
from nemotron.catalog.catalog import Catalog
from nemotron.catalog.manifest import FactRule
from nemotron.config.tree import split_key
from nemotron.diagnostic import Diagnostic, error
from nemotron.hardware.layout_rules import violations
from nemotron.hardware.legal_layouts import differences, nearest_legal
from nemotron.hardware.shapes import ModelShape
from nemotron.planning.have import Have, facts_of
from nemotron.planning.nodes import Link, Node
from nemotron.planning.parallel import keys_of, layout_of, shape_for
from nemotron.planning.promises import promises_of, stands_for, stated_by_keys
from nemotron.planning.request import Promises, StepRequest
from nemotron.planning.resolve import Wish, resolve

DEFAULT, HAVE, USER = 1, 2, 3
_ROUNDS = 12


@dataclass(frozen=True)
class Derived:
    """A config key that the planner set: the value, and where it comes from."""

    value: Any
    why: str
    strength: int = DEFAULT


@dataclass(frozen=True)
class Said:
    """What one side of an edge says of a fact: how a key would write it, who says it, how firmly.

    `node` and `key` are where it can be changed, when it can.
    """

    value: FactValue
    written: Any
    by: str
    strength: int
    node: str | None = None
    key: str | None = None


@dataclass
class Draft:
    """A plan whose facts are being unified. `fixed` are the user's own settings: node → key → value.

    `hosts` are the machines of the nodes that need more than one.
    """

    catalog: Catalog
    haves: dict[str, Have]
    nodes: list[Node]
    configs: dict[str, str]
    gpus: dict[str, int]
    fixed: dict[str, dict[str, Any]]
    hosts: dict[str, int] = field(default_factory=dict)
    derived: dict[str, dict[str, Derived]] = field(default_factory=dict)
    requests: dict[str, StepRequest] = field(default_factory=dict)

    def node(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)

    def bound(self, node: Node) -> dict[str, str]:
        """The config keys that take the node's inputs → what stands for each."""
        step = self.catalog.step(node.step)
        bound: dict[str, str] = {}
        for port, link in node.inputs.items():
            bound |= self.values_of(link, step.consumes(port).at)
        return bound

    def values_of(self, link: Link, at: str) -> dict[str, str]:
        if link.output is None:
            return self.haves[link.name].values(at)
        return {at: stands_for(link.name, self.catalog.step(self.node(link.name).step).produces(link.output))}


def unify(draft: Draft) -> list[Diagnostic]:
    """Fill in what follows, until nothing changes. What contradicts itself is returned, NMT301."""
    for _ in range(_ROUNDS):
        _resolve_all(draft)
        problems: list[Diagnostic] = []
        changed = False
        for node in draft.nodes:
            for said, wanted in _disagreements(draft, node):
                change = _settle(draft, said, wanted)
                if change is None:
                    problems.append(_contradiction(node, said, wanted))
                changed = changed or bool(change)
        for node in draft.nodes:
            changed = _stay_within(draft, node) or changed
            changed = _lay_out(draft, node) or changed
        if not changed:
            return problems
    return problems


def _resolve_all(draft: Draft) -> None:
    promises: Promises = {}
    for node in draft.nodes:
        settings = draft.fixed.get(node.name, {})
        bound = {key: value.value for key, value in draft.derived.get(node.name, {}).items()}
        wish = Wish(
            node.step, draft.configs[node.name], [], draft.gpus.get(node.name), draft.hosts.get(node.name)
        )
        request = resolve(
            wish,
            draft.catalog,
            bound={**draft.bound(node), **bound, **settings},
            promises=dict(promises),
        )
        draft.requests[node.name] = replace(request, name=node.name)
        promises |= promises_of(request, node.name)


def _disagreements(draft: Draft, node: Node) -> Iterator[tuple[Said, Said]]:
    """Pairs of what a source says and what the node's key says, where they differ."""
    request = draft.requests[node.name]
    for port, link in node.inputs.items():
        for fact, rule in request.step.consumes(port).facts.items():
            given = _source_says(draft, link, fact)
            if given is None:
                continue
            for wanted in _keys_say(draft, node, fact, rule):
                if wanted.value != given.value:
                    yield given, wanted


def _source_says(draft: Draft, link: Link, fact: str) -> Said | None:
    """What the artifact on a link says of a fact, traced to whoever states it."""
    if link.output is None:
        have = draft.haves[link.name]
        value = facts_of(have).get(fact)
        if value is None:
            return None
        written = have.value if isinstance(value, str) and (have.hub or len(value) == 64) else value
        return Said(value, written, link.name, HAVE)
    node = draft.node(link.name)
    request = draft.requests[node.name]
    rule = request.step.produces(link.output).facts.get(fact)
    if rule is None:
        return None
    if rule.from_ is not None:
        port, _, source = rule.from_.partition(".")
        return _source_says(draft, node.inputs[port], source) if port in node.inputs else None
    if rule.value is not None:
        return Said(
            rule.value if isinstance(rule.value, int) else str(rule.value), rule.value, node.step, USER
        )
    return next(_keys_say(draft, node, fact, rule), None)


def _keys_say(draft: Draft, node: Node, fact: str, rule: FactRule) -> Iterator[Said]:
    request = draft.requests[node.name]
    for key, value in stated_by_keys(request, fact, rule.keys):
        written = request.config.document.get(key)
        yield Said(value, written, f"{node.name}.{key}", strength(draft, node, key), node.name, key)


def strength(draft: Draft, node: Node, key: str) -> int:
    """How firmly a key is set: by the user, by a have (or by reference to its key), or by a default."""
    if key in draft.fixed.get(node.name, {}):
        return USER
    derived = draft.derived.get(node.name, {}).get(key)
    if derived is not None:
        return derived.strength
    if key in draft.bound(node):
        return HAVE
    refers = draft.requests[node.name].config.refers.get(split_key(key))
    return strength(draft, node, refers) if refers is not None else DEFAULT


def _settle(draft: Draft, given: Said, wanted: Said) -> bool | None:
    """Set the weaker side to what the stronger one says; None where both are fixed."""
    if wanted.key is not None and wanted.strength <= given.strength and wanted.strength < USER:
        return _set(draft, wanted, given)
    if given.key is not None and given.strength < wanted.strength:
        return _set(draft, given, wanted)
    return None


def _set(draft: Draft, changed: Said, kept: Said) -> bool:
    assert changed.node is not None
    assert changed.key is not None
    keys = draft.derived.setdefault(changed.node, {})
    value = Derived(kept.written, f"= {kept.by}", max(kept.strength, changed.strength))
    if keys.get(changed.key) == value:
        return False
    keys[changed.key] = value
    return True


def _stay_within(draft: Draft, node: Node) -> bool:
    """Keys that an artifact sets a limit to: a sequence is no longer than the positions of the model."""
    request, changed = draft.requests[node.name], False
    for port, link in node.inputs.items():
        for fact, rule in request.step.consumes(port).facts.items():
            limit = _source_says(draft, link, fact)
            for key, is_beyond in ((rule.at_least, operator.gt), (rule.at_most, operator.lt)):
                value = request.config.document.get(key) if key is not None else None
                if key is None or limit is None or strength(draft, node, key) == USER:
                    continue
                if isinstance(value, int) and isinstance(limit.value, int) and is_beyond(value, limit.value):
                    why = f"the {fact} of {limit.by}"
                    draft.derived.setdefault(node.name, {})[key] = Derived(limit.value, why, HAVE)
                    changed = True
    return changed


def _lay_out(draft: Draft, node: Node) -> bool:
    """A legal layout on the GPUs there are, and data that are packed for it."""
    request = draft.requests[node.name]
    layout, parallelism = layout_of(request), request.step.manifest.parallelism
    if layout is None or parallelism is None:
        return False
    shape = shape_for(request) or ModelShape()
    fixed = draft.fixed.get(node.name, {})
    keys = {name: key for name, key in keys_of(parallelism).items() if key not in fixed}
    derived = draft.derived.setdefault(node.name, {})
    if violations(parallelism.rules, layout, shape):
        legal = nearest_legal(parallelism.rules, layout, shape, keys.keys(), count=1)
        for name, _, value in differences(layout, legal[0]) if legal else ():
            derived[keys[name]] = Derived(value, f"legal on {layout.world} GPU{'s' * (layout.world > 1)}")
        return bool(legal)
    return _pad(draft, node, layout.pad_multiple)


def _pad(draft: Draft, node: Node, multiple: int) -> bool:
    """The packer of the node's data pads for its layout."""
    changed = False
    for link in node.inputs.values():
        if link.output is None or multiple == 1:
            continue
        packer = draft.node(link.name)
        rule = draft.requests[packer.name].step.produces(link.output).facts.get("pad_multiple")
        for said in _keys_say(draft, packer, "pad_multiple", rule) if rule else ():
            if isinstance(said.value, int) and said.value % multiple and said.strength < USER:
                keys = draft.derived.setdefault(packer.name, {})
                keys[str(said.key)] = Derived(multiple, f"the layout of {node.name}")
                changed = True
    return changed


def _contradiction(node: Node, given: Said, wanted: Said) -> Diagnostic:
    return error(
        "NMT301",
        f"{given.by} says {given.written}, and {wanted.by} says {wanted.written}",
        detail=f"both are fixed, and '{node.name}' needs them to be the same",
        fix=f"leave out one of the two: --set {wanted.by}=… or that of {given.by}",
    )
