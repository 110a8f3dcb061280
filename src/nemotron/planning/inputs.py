"""Which artifacts may stand together at the inputs of a step, in the route search. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from nemotron.artifacts.facts import is_unknown
from nemotron.planning.problem import Action, Derivation

Inputs = Sequence[Derivation | None]


def fits(action: Action, index: int, derivation: Derivation) -> bool:
    """Constants agree, and a given artifact that has the name of another port of the action goes there."""
    port = action.ports[index]
    known = derivation.constants
    if any(known[fact] != value for fact, value in port.constants.items() if fact in known):
        return False
    if derivation.given is None:
        return not port.apart
    if derivation.given.name == port.name:
        return True
    return all(other.name != derivation.given.name for other in action.ports)


def uses_new(candidate: Derivation, inputs: list[Derivation | None]) -> bool:
    """Whether an optional input adds something: a sibling always does, a given one if it is not used yet."""
    if candidate.given is None:
        return True
    return all(other is None or not candidate.uses & other.uses for other in inputs)


def is_same(one: Derivation, other: Derivation) -> bool:
    if one.given is not None or other.given is not None:
        return one.given == other.given
    return one.action == other.action and one.output == other.output and one.inputs == other.inputs


def is_one_thing_twice(derivations: list[Derivation]) -> bool:
    """Whether two inputs of one step are the same artifact: a teacher is not its own student."""
    return any(
        is_same(one, other) for number, one in enumerate(derivations) for other in derivations[number + 1 :]
    )


def is_mixed(action: Action, inputs: Inputs) -> bool:
    """Whether one input is made from another that must be apart from it.

    So must that of a port that says so, and that of an optional port from those of its own type: validation
    data are not made from the training data.
    """
    bound = [(port, made) for port, made in zip(action.ports, inputs, strict=True) if made is not None]
    for port, made in bound:
        for beside, other in bound:
            if other is made:
                continue
            if port.apart and made.uses & other.uses:
                return True
            is_spare = port.optional and port.type == beside.type
            if is_spare and (_is_made_from(made, other) or _is_made_from(other, made)):
                return True
    return False


def _is_made_from(derivation: Derivation, source: Derivation) -> bool:
    return any(
        made is not None and (is_same(made, source) or _is_made_from(made, source))
        for made in derivation.inputs
    )


def are_strangers(action: Action, inputs: Inputs, identities: frozenset[str]) -> bool:
    """Whether two inputs that must be of one origin are not: an adapter, and a base of other weights.

    `identities` are the facts that name one artifact's weights. Where no input carries them over, a step has
    made new ones, which are equal to nothing else.
    """
    for port, derivation in zip(action.ports, inputs, strict=True):
        for fact, (position, source) in port.same.items():
            other = inputs[position]
            if fact in identities and derivation is not None and other is not None:
                one, two = _origin(derivation, fact), _origin(other, source)
                if not _may_be_one(one, two):
                    return True
    return False


def _origin(derivation: Derivation, fact: str) -> tuple[Derivation, str]:
    """The artifact that a fact was carried over from, and the fact there."""
    while derivation.output is not None and fact in derivation.output.carried:
        position, source = derivation.output.carried[fact]
        made_from = derivation.inputs[position]
        if made_from is None:
            break
        derivation, fact = made_from, source
    return derivation, fact


def _may_be_one(one: tuple[Derivation, str], other: tuple[Derivation, str]) -> bool:
    """Whether two facts may have one value: of what is at hand only a name and a digest may."""
    if is_same(one[0], other[0]) and one[1] == other[1]:
        return True
    if one[0].given is None or other[0].given is None:
        return False
    values = [derivation.constants.get(fact) for derivation, fact in (one, other)]
    if None in values or sum(is_unknown(value) for value in values if value is not None) == 1:
        return True
    return values[0] == values[1]
