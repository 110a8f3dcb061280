"""The route search's problem and its answers: artifacts at hand, actions, derivations. Pure data."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from nemotron.artifacts.record import FactValue

Constants = Mapping[str, FactValue]


@dataclass(frozen=True)
class Port:
    """An input: the type and the constant facts that it takes. An optional one is filled if it can be.

    One that is `apart` takes a given artifact that no other input is made from. `same` maps a fact to the
    position of another input, and the fact there that it equals.
    """

    name: str
    type: str
    optional: bool = False
    apart: bool = False
    constants: Constants = field(default_factory=dict, hash=False)
    same: Mapping[str, tuple[int, str]] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Output:
    """An output: its type, facts that are constants of it, and facts that it carries over from an input.

    `carried` maps a fact to the position of the input and the fact there.
    """

    name: str
    type: str
    constants: Constants = field(default_factory=dict, hash=False)
    carried: Mapping[str, tuple[int, str]] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Action:
    """One way of using a step: of a group of alternative inputs, one is chosen."""

    step: str
    cost: float
    ports: tuple[Port, ...]
    outputs: tuple[Output, ...]

    @property
    def category(self) -> str:
        return self.step.split("/")[0]


@dataclass(frozen=True)
class Given:
    """An artifact at hand: its name, its type, and what is known of it."""

    name: str
    type: str
    facts: Constants = field(default_factory=dict, hash=False)


@dataclass(frozen=True, eq=False)
class Derivation:
    """How one artifact comes about: it is given, or an action makes it from other derivations.

    `uses` has a bit for each given artifact and, above those, for each step that the plan must go through.
    `inputs` are in the order of the action's ports; None is an optional port that stays empty.
    """

    type: str
    cost: float
    uses: int
    constants: Constants
    given: Given | None = None
    action: Action | None = None
    output: Output | None = None
    inputs: tuple[Derivation | None, ...] = ()
    steps: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Problem:
    """What is asked for.

    `ancestors` maps each type to itself and all that it may be taken for, nearest first; `where` a type to
    the facts that an artifact must have to be taken for its parents; `also` a type to those that are no
    parents, with the facts that must be known of it. `converters` are steps that change the form alone.
    `follows` maps a step to the categories whose steps come before it; `identities` are the facts that name
    a model's weights.
    """

    want: str
    givens: tuple[Given, ...]
    actions: tuple[Action, ...]
    ancestors: Mapping[str, Sequence[str]]
    through: tuple[str, ...] = ()
    where: Mapping[str, Constants] = field(default_factory=dict)
    also: Mapping[str, Mapping[str, Constants]] = field(default_factory=dict)
    converters: frozenset[str] = frozenset()
    follows: Mapping[str, Collection[str]] = field(default_factory=dict)
    identities: frozenset[str] = frozenset()

    def answers(self, derivation: Derivation) -> bool:
        """Whether a derivation is of the wanted type, and not of one that may only stand for it."""
        if derivation.action is None or self.want in self.also.get(derivation.type, {}):
            return False
        return self.want in self.taken_for(derivation)

    def taken_for(self, derivation: Derivation) -> list[str]:
        """The types that an artifact is taken for: its own, and its parents as far as its facts allow."""
        known, also = derivation.constants, self.also.get(derivation.type, {})
        kinds = [kind for kind, facts in also.items() if all(known.get(f) == v for f, v in facts.items())]
        for kind in self.ancestors[derivation.type]:
            if kind in also:
                continue
            kinds.append(kind)
            wanted = self.where.get(kind, {})
            if any(known.get(fact, value) != value for fact, value in wanted.items()):
                break
        return kinds
