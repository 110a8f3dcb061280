"""How many GPUs and nodes a step gets, by who asks for them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from nemotron.catalog.catalog import Step
from nemotron.config.layers import RunSection
from nemotron.profiles.profile import Profile


@dataclass(frozen=True)
class Offer:
    """Nodes, and GPUs of each: what a profile, or a pipeline's `hardware`, offers."""

    nodes: int | None = None
    gpus_per_node: int | None = None

    @classmethod
    def of(cls, profile: Profile | None) -> Offer:
        return cls(profile.nodes, profile.gpus_per_node) if profile else cls()

    def over(self, below: Offer) -> Offer:
        """What this offer says, and of what it says nothing the other."""
        nodes = below.nodes if self.nodes is None else self.nodes
        return Offer(nodes, below.gpus_per_node if self.gpus_per_node is None else self.gpus_per_node)


UNSAID = Offer()


def place(step: Step, run: RunSection, offer: Offer, gpus: int | None, nodes: int | None) -> tuple[int, int]:
    """GPUs in all and nodes: as named, else by the offer, else the config's `run:`, the manifest.

    A step that takes all GPUs gets the whole offer; another one no more than it asks for, and one that asks
    for none gets none.
    """
    asked = step.manifest.step.gpus if run.gpus is None else run.gpus
    per_node = offer.gpus_per_node
    if gpus is not None:
        fitting = -(-gpus // per_node) if per_node else run.nodes
        return gpus, nodes or fitting or 1
    if not per_node or asked == 0:
        return asked, nodes or (offer.nodes if asked else None) or run.nodes or 1
    if step.manifest.takes_all_gpus:
        nodes = nodes or offer.nodes or 1
        return nodes * per_node, nodes
    return min(asked, per_node), nodes or 1
