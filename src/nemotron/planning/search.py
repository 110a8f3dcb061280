"""The route search: from artifacts at hand to a wanted one, through steps that need all of their inputs.

Pure: sees types, ports and costs, no files. The graph is an AND/OR graph: an artifact type is made by any
one of several steps (OR), and a step needs all of its required inputs (AND). The cheapest derivations are
found as in Knuth's generalisation of Dijkstra's algorithm (A Generalization of Dijkstra's Algorithm, 1977),
the further ones as in k-best A* parsing (Pauls and Klein, K-Best A* Parsing, 2009): the cost of the cheapest
way from a type to the goal is known beforehand, and bounds what is still to come.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from math import inf
from typing import Any

from nemotron.planning.bounds import cheapest_of, rest_of, takers_of
from nemotron.planning.inputs import are_strangers, fits, is_mixed, is_one_thing_twice, is_same, uses_new
from nemotron.planning.problem import Action, Constants, Derivation, Output, Problem

# Derivations that are kept of one type and that use the same things. More than the cheapest matter where
# conditions between inputs rule one out; in a catalog that is this large, the cheapest has to do.
_KEPT = 4
_LARGE = 80
# After so many derivations the search ends with what it has: a plan that long is not one that people read.
_MOST = 60_000
# What a plan pays for a step that comes before one that it should follow.
_OUT_OF_ORDER = 0.25
# For alternatives: how many searches with a step taken out, among how many actions, how far each goes.
_SEARCHES = 24
_NEAR = 120
_FAR = 1_500


def search(problem: Problem, count: int = 4) -> list[Derivation]:
    """The best derivation of the wanted type, and up to `count` - 1 further ones that differ in their steps.

    Better: more of the given artifacts used, more of the steps to go through, then the lower cost. What is at
    hand is never the answer. Empty where nothing makes the wanted type. The further ones are found by taking
    out a step of a better one (Lawler's method), near the best one where the catalog is large.
    """
    whole = _Search(problem)
    best = whole.best()
    if best is None:
        return []
    near = whole.near(best)
    found = [best]
    agenda: list[tuple[tuple[Any, ...], tuple[str, ...], Derivation]] = []
    seen: set[frozenset[str]] = {frozenset()}
    searches = 0
    banned, current = frozenset[str](), best
    while len(found) < count:
        for step in sorted(current.steps):
            without = banned | {step}
            if without in seen or searches == _SEARCHES:
                continue
            seen.add(without)
            searches += 1
            actions = tuple(action for action in near if action.step not in without)
            other = _Search(replace(problem, actions=actions)).best(_FAR)
            if other is not None:
                heapq.heappush(agenda, (whole.merit(other), tuple(sorted(without)), other))
        if not agenda:
            break
        _, names, current = heapq.heappop(agenda)
        banned = frozenset(names)
        if all(_recipe(current) != _recipe(other) for other in found):
            found.append(current)
    return found


class _Search:
    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.actions = sorted(problem.actions, key=lambda a: (a.step, [port.name for port in a.ports]))
        self.takers = takers_of(self.actions)
        self.cheapest = cheapest_of(problem, self.actions, self.takers)
        self.rest = rest_of(problem, self.actions, self.cheapest)
        self.full = (1 << (len(problem.givens) + len(problem.through))) - 1
        self.leaves = [
            Derivation(given.type, 0.0, 1 << bit, given.facts, given)
            for bit, given in enumerate(problem.givens)
        ]
        self.agenda: list[tuple[float, float, int, int, Derivation]] = []
        self.kept: dict[str, list[Derivation]] = defaultdict(list)
        self.counts: dict[tuple[str, str, int], int] = defaultdict(int)
        self.pushed = 0
        self.most_kept = 1 if len(problem.actions) > _LARGE else _KEPT

    def best(self, most: int = _MOST) -> Derivation | None:
        """The best derivation: the first, and so cheapest, that uses everything; else the best of all."""
        for bit, leaf in enumerate(self.leaves):
            self._push(leaf, rank=bit)
        self._start_from_nothing()
        found: list[Derivation] = []
        for _ in range(most):
            if not self.agenda:
                break
            derivation = heapq.heappop(self.agenda)[4]
            if not self._keep(derivation):
                continue
            if self.problem.answers(derivation):
                found.append(derivation)
                if derivation.uses == self.full:
                    return derivation
            for ancestor in self.problem.taken_for(derivation):
                for rank, position in self.takers.get(ancestor, ()):
                    self._extend(rank, position, derivation)
        return min(found, key=self.merit, default=None)

    def _start_from_nothing(self) -> None:
        """A step that needs no input makes what is wanted, or what the plan must go through: nothing else."""
        for rank, action in enumerate(self.actions):
            if any(not port.optional for port in action.ports):
                continue
            kinds = {kind for output in action.outputs for kind in self.problem.ancestors[output.type]}
            if self.problem.want in kinds or action.step in self.problem.through:
                self._apply(rank, action, [None] * len(action.ports))

    def near(self, best: Derivation) -> tuple[Action, ...]:
        """The actions that alternatives are made of: those on the cheapest ways to the goal, and its own."""
        if len(self.actions) <= _NEAR:
            return tuple(self.actions)
        own = [action for action in self.actions if action.step in best.steps]
        return tuple(dict.fromkeys([*own, *sorted(self.actions, key=self._bound)[:_NEAR]]))

    def _bound(self, action: Action) -> float:
        """The least that a plan with this action costs."""
        inputs = sum(self.cheapest.get(port.type, inf) for port in action.ports if not port.optional)
        kinds = (kind for output in action.outputs for kind in self.problem.ancestors[output.type])
        return action.cost + inputs + min((self.rest.get(kind, inf) for kind in kinds), default=inf)

    def merit(self, derivation: Derivation) -> tuple[int, int, float, tuple[str, ...]]:
        givens = len(self.problem.givens)
        missing = self.full & ~derivation.uses
        unused = (missing & ((1 << givens) - 1)).bit_count()
        avoided = (missing >> givens).bit_count()
        return unused, avoided, derivation.cost, _recipe(derivation)

    def _push(self, derivation: Derivation, rank: int) -> None:
        rest = min((self.rest.get(a, inf) for a in self.problem.taken_for(derivation)), default=inf)
        if rest < inf and self.counts[_kind(derivation)] < self.most_kept:
            self.pushed += 1
            heapq.heappush(
                self.agenda, (derivation.cost + rest, -derivation.cost, rank, self.pushed, derivation)
            )

    def _keep(self, derivation: Derivation) -> bool:
        kind = _kind(derivation)
        if self.counts[kind] >= self.most_kept:
            return False
        self.counts[kind] += 1
        for ancestor in self.problem.taken_for(derivation):
            self.kept[ancestor].append(derivation)
        return True

    def _extend(self, rank: int, position: int, new: Derivation) -> None:
        """Every use of an action with `new` at one of its ports and older derivations at the others."""
        action = self.actions[rank]
        is_spare = action.ports[position].optional and new.given is not None  # `_fill_optional` does it
        if is_spare or action.step in new.steps or not fits(action, position, new):
            return
        choices: list[list[Derivation | None]] = []
        for index, port in enumerate(action.ports):
            if index == position:
                choices.append([new])
                continue
            others: list[Derivation | None] = [
                d
                for d in self.kept.get(port.type, ())
                if not (port.optional and d.given is not None)
                and action.step not in d.steps
                and fits(action, index, d)
            ]
            if port.optional:
                others.insert(0, None)
            if not others:
                return
            choices.append(others)
        for inputs in product(*choices):
            self._apply(rank, action, list(inputs))

    def _apply(self, rank: int, action: Action, inputs: list[Derivation | None]) -> None:
        present = [d for d in inputs if d is not None]
        if is_one_thing_twice(present) or self._is_round_trip(action, present):
            return
        if is_mixed(action, inputs) or are_strangers(action, inputs, self.problem.identities):
            return
        self._fill_optional(action, inputs)
        present = [d for d in inputs if d is not None]
        uses, steps = self._through(action.step), frozenset({action.step})
        for derivation in present:
            uses |= derivation.uses
            steps |= derivation.steps
        too_early = sum(action.category in self.problem.follows.get(step, ()) for step in steps)
        cost = action.cost + sum(d.cost for d in present) + _OUT_OF_ORDER * too_early
        for output in action.outputs:
            known = _known(output, inputs)
            made = Derivation(output.type, cost, uses, known, None, action, output, tuple(inputs), steps)
            self._push(made, len(self.problem.givens) + rank)

    def _is_round_trip(self, action: Action, inputs: list[Derivation]) -> bool:
        """Whether a converter gets what another made of the very type that it makes itself."""
        if action.step not in self.problem.converters:
            return False
        back = {output.type for output in action.outputs}
        return any(
            before is not None and not back.isdisjoint(self.problem.ancestors[before.type])
            for made in inputs
            if made.action is not None and made.action.step in self.problem.converters
            for before in made.inputs
        )

    def _through(self, step: str) -> int:
        through, givens = self.problem.through, len(self.problem.givens)
        return 1 << (givens + through.index(step)) if step in through else 0

    def _fill_optional(self, action: Action, inputs: list[Derivation | None]) -> None:
        """Optional inputs are used when they are at hand: given, or made beside another input."""
        for index, port in enumerate(action.ports):
            if not port.optional or inputs[index] is not None:
                continue
            beside = [d for other in inputs if other is not None for d in _siblings(other)]
            for candidate in (*self.leaves, *beside):
                accepted = port.type in self.problem.taken_for(candidate)
                taken = any(is_same(candidate, other) for other in inputs if other is not None)
                if accepted and not taken and fits(action, index, candidate) and uses_new(candidate, inputs):
                    inputs[index] = candidate
                    break


def _siblings(derivation: Derivation) -> Iterator[Derivation]:
    """The other outputs of the same use of an action."""
    action = derivation.action
    for output in action.outputs if action is not None else ():
        if output != derivation.output:
            inputs, known = derivation.inputs, _known(output, derivation.inputs)
            yield Derivation(
                output.type, 0.0, derivation.uses, known, None, action, output, inputs, derivation.steps
            )


def _known(output: Output, inputs: Sequence[Derivation | None]) -> Constants:
    """The facts of an output that follow from constants."""
    if not output.carried:
        return output.constants
    known = dict(output.constants)
    for fact, (position, source) in output.carried.items():
        made_from = inputs[position]
        if made_from is not None and source in made_from.constants:
            known[fact] = made_from.constants[source]
    return known


def _kind(derivation: Derivation) -> tuple[str, str, int]:
    """What counts as the same: the type (and what tells outputs of one type apart), and what was used."""
    return derivation.type, str(sorted(derivation.constants.items())), derivation.uses


def _recipe(derivation: Derivation) -> tuple[str, ...]:
    """The steps of a derivation, each once, in order of their ids."""
    return tuple(sorted(derivation.steps))
