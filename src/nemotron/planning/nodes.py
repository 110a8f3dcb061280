"""From a derivation to the steps of a plan: equal parts become one step, each gets a name. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from nemotron.catalog.catalog import Step
from nemotron.planning.problem import Derivation


@dataclass(frozen=True)
class Link:
    """Where an input comes from: a have by its name, or an output of another step of the plan."""

    name: str
    output: str | None = None

    def __str__(self) -> str:
        return self.name if self.output is None else f"{self.name}.{self.output}"


@dataclass
class Node:
    """A step of a plan: its name there, the step, and what its ports are bound to."""

    name: str
    step: str
    inputs: dict[str, Link] = field(default_factory=dict)


def nodes_of(derivation: Derivation, steps: dict[str, Step]) -> list[Node]:
    """The steps of a derivation in an order in which they can run; what is made twice alike is made once."""
    nodes: list[Node] = []
    known: dict[tuple[object, ...], Node] = {}
    _collect(derivation, nodes, known, steps)
    return nodes


def outputs_used(nodes: list[Node], derivation: Derivation) -> dict[str, set[str]]:
    """Step → the outputs that others take from it; of the last one, what the derivation is for."""
    used: dict[str, set[str]] = {node.name: set() for node in nodes}
    for link in (link for node in nodes for link in node.inputs.values() if link.output is not None):
        used[link.name].add(str(link.output))
    if nodes and derivation.output is not None:
        used[nodes[-1].name].add(derivation.output.name)
    return used


def _collect(
    derivation: Derivation, nodes: list[Node], known: dict[tuple[object, ...], Node], steps: dict[str, Step]
) -> Link:
    if derivation.given is not None:
        return Link(derivation.given.name)
    action, output = derivation.action, derivation.output
    assert action is not None
    assert output is not None
    links = {
        port.name: _collect(made, nodes, known, steps)
        for port, made in zip(action.ports, derivation.inputs, strict=True)
        if made is not None
    }
    key = (action.step, *sorted((port, str(link)) for port, link in links.items()))
    if key not in known:
        name = _free_name(short_name(steps[action.step]), {node.name for node in nodes})
        known[key] = Node(name, action.step, links)
        nodes.append(known[key])
    return Link(known[key].name, output.name)


def short_name(step: Step) -> str:
    """The last part of the id; where that only names the library, the first: sft of sft/automodel."""
    category, *_, last = step.id.split("/")
    return category if last == step.manifest.step.library else last


def _free_name(wanted: str, taken: set[str]) -> str:
    number = 1
    name = wanted
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    return name
