"""Which of a step's shipped configs a plan takes, and what that means for its inputs and GPUs. Reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nemotron.catalog.catalog import Step
from nemotron.catalog.types import Types
from nemotron.config.layers import read_layers
from nemotron.config.tree import MISSING, Document
from nemotron.config.yaml_places import read_yaml
from nemotron.planning.have import Have
from nemotron.planning.nodes import Node
from nemotron.planning.promises import is_made_by
from nemotron.planning.unify import Derived

_REFERENCE = re.compile(r"\$\{[A-Za-z_][\w.-]*\}")


def left_empty(step: Step, config: str, node: Node, types: Types) -> Iterator[tuple[str, Derived]]:
    """Optional inputs that the config fills with data of its own, and that the plan has nothing for."""
    document = _layers(step, config)
    for port in step.manifest.consumes:
        if not types[port.type].on_disk:  # a service that the config names is as good as any
            continue
        value = document.get(port.at)
        own = isinstance(value, str) and value != MISSING and not _REFERENCE.fullmatch(value)
        if port.name not in node.inputs and own and not port.required and port.one_of is None:
            yield port.at, Derived(None, "nothing at hand for it")


def left_open(step: Step, config: str, outputs: set[str]) -> Iterator[tuple[str, Derived]]:
    """Keys that must be set for the step to make the `outputs` that the plan takes, and that nobody knows."""
    document = _layers(step, config)
    told = {parameter.key: parameter.description for parameter in step.manifest.parameters}
    for port in step.manifest.produces:
        key = port.with_key
        if port.name in outputs and key is not None and document.get(key) is None:
            yield key, Derived(MISSING, told.get(key, f"without it there is no {port.name}"))


def config_for(
    step: Step, node: Node, haves: dict[str, Have], outputs: set[str], *, on_cpu: bool = False
) -> str:
    """The shipped config of a step in a plan: one that makes the `outputs` that the plan takes from it.

    Of those the one for the model at the step's model port, or for its input, else the default. On the CPU a
    training is a trial; what needs no GPU anyway is done in earnest.
    """
    is_trial = on_cpu and step.manifest.takes_all_gpus and "tiny" in step.config_names()
    names = ["tiny"] if is_trial else []
    names += [*_made_for_its_inputs(step, node, haves), "default", *step.config_names()]
    ports = [port for port in step.manifest.produces if port.name in outputs and port.when]
    if not ports:
        return names[0]
    makes_them = (n for n in names if all(is_made_by(p, _layers(step, n)) for p in ports))
    return next(makes_them, names[0])


def _made_for_its_inputs(step: Step, node: Node, haves: dict[str, Have]) -> Iterator[str]:
    models = {haves[link.name].hub for link in node.inputs.values() if link.output is None}
    keys = [port.at for port in step.manifest.consumes if port.type == "checkpoint_hf"]
    for name in step.config_names():
        tree = read_yaml(step.config_folder / f"{name}.yaml", quick=True)
        if name != "tiny" and any(tree.get(key) in models - {None} for key in keys):
            yield name
    yield from (name for name in step.config_names() if _is_made_for(step, name, node))


def _is_made_for(step: Step, config: str, node: Node) -> bool:
    """Whether a config asks for the very input of a group that the plan has, and the default does not."""
    if config in ("default", "tiny"):
        return False
    grouped = [port for port in step.manifest.consumes if port.one_of]
    asked = _layers(step, config)
    usual = _layers(step, "default")
    wanted = {port.at for port in grouped if asked.get(port.at) == MISSING}
    ports = {port.at for port in grouped if port.name in node.inputs}
    return bool(wanted) and wanted == ports and any(usual.get(key) != MISSING for key in wanted)


def asks_a_service(step: Step, node: Node, types: Types) -> bool:
    """Whether a group of inputs is filled by a service, which then does what would need GPUs here."""
    ports = [step.consumes(name) for name in node.inputs]
    return any(port.one_of and not types[port.type].on_disk for port in ports)


def gpus_for(step: Step, config: str, gpus: int | None) -> int | None:
    """All GPUs for a step that takes all of them; for the others what their config asks for."""
    if gpus is None:
        return None
    if step.manifest.takes_all_gpus:
        return gpus
    asked = _layers(step, config).get("run.gpus")
    return min(asked if isinstance(asked, int) else step.manifest.step.gpus, gpus)


def _layers(step: Step, config: str) -> Document:
    return read_layers(step.config_folder / f"{config}.yaml")
