"""What no step of a plan takes, and what it still says: for which model the last step prepares data. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from nemotron.artifacts.facts import fact_from_value
from nemotron.artifacts.record import FactValue
from nemotron.planning.have import Have
from nemotron.planning.nodes import Node
from nemotron.planning.promises import stated_by_keys
from nemotron.planning.unify import DEFAULT, HAVE, USER, Derived, Draft, strength, unify


def without_use(draft: Draft, left: list[Have]) -> list[Have]:
    """Of what is `left` over, that which gives the last step of the plan no tokenizer either."""
    rest = [have for have in left if not _gives_the_tokenizer(draft, draft.nodes[-1], have)]
    if len(rest) < len(left):
        unify(draft)
    return rest


def _gives_the_tokenizer(draft: Draft, node: Node, have: Have) -> bool:
    """Whether the tokenizer of what the node makes is the have's; it replaces one that is only a default."""
    given = False
    for key, stated, wanted in _tokenizers(draft, node, have):
        firmly = strength(draft, node, key)
        if firmly == DEFAULT:
            draft.derived.setdefault(node.name, {})[key] = Derived(have.value, f"= {have.name}", HAVE)
        given = given or firmly == DEFAULT or (firmly == USER and stated == wanted)
    return given


def _tokenizers(draft: Draft, node: Node, have: Have) -> Iterator[tuple[str, FactValue, FactValue]]:
    """The keys that state the tokenizer of the node's outputs: what each says, and the have's own."""
    request = draft.requests[node.name]
    if "model" not in request.types.facts_of(have.type):  # an adapter's tokenizer is that of its base
        return
    for port in request.step.manifest.produces:
        for fact, rule in port.facts.items():
            kind = request.types.facts[fact]
            wanted = fact_from_value(kind, have.value) if kind.kind == "tokenizer" else None
            if wanted is None:
                continue
            for key, stated in stated_by_keys(request, fact, rule.keys):
                yield key, stated, wanted
