"""What the route search knows beforehand: the cheapest way to each type, and from each to the goal. Pure."""

from __future__ import annotations

import heapq
from collections import defaultdict
from math import inf

from nemotron.planning.problem import Action, Problem


def takers_of(actions: list[Action]) -> dict[str, list[tuple[int, int]]]:
    """Type → the ports that take it, as (position of the action, position of the port).

    The last port comes first: of two artifacts of one type, the first then goes to the first port.
    """
    takers: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for rank, action in enumerate(actions):
        for position, port in reversed([*enumerate(action.ports)]):
            takers[port.type].append((rank, position))
    return takers


def cheapest_of(
    problem: Problem, actions: list[Action], takers: dict[str, list[tuple[int, int]]]
) -> dict[str, float]:
    """Knuth's algorithm: the cost of the cheapest derivation of what each port type takes."""
    cost: dict[str, float] = {}
    waiting = [sum(not port.optional for port in action.ports) for action in actions]
    total = [action.cost for action in actions]
    agenda = [(0.0, given.type) for given in problem.givens]
    agenda += [
        (action.cost, output.type)
        for rank, action in enumerate(actions)
        if waiting[rank] == 0
        for output in action.outputs
    ]
    heapq.heapify(agenda)
    while agenda:
        reached, kind = heapq.heappop(agenda)
        for ancestor in problem.ancestors[kind]:
            if ancestor in cost:
                continue
            cost[ancestor] = reached
            for rank, position in takers.get(ancestor, ()):
                if actions[rank].ports[position].optional:
                    continue
                waiting[rank] -= 1
                total[rank] += reached
                if waiting[rank] == 0:
                    for output in actions[rank].outputs:
                        heapq.heappush(agenda, (total[rank], output.type))
    return cost


def rest_of(problem: Problem, actions: list[Action], cheapest: dict[str, float]) -> dict[str, float]:
    """The least that is still to be paid once a port type is served, until the goal is made."""
    makers: dict[str, list[int]] = defaultdict(list)
    for rank, action in enumerate(actions):
        for kind in sorted({a for output in action.outputs for a in problem.ancestors[output.type]}):
            makers[kind].append(rank)
    rest: dict[str, float] = {}
    agenda = [(0.0, problem.want)]
    while agenda:
        left, kind = heapq.heappop(agenda)
        if kind in rest:
            continue
        rest[kind] = left
        for rank in makers.get(kind, ()):
            ports = actions[rank].ports
            inputs = sum(cheapest.get(port.type, inf) for port in ports if not port.optional)
            for port in ports if inputs < inf else ():
                others = inputs if port.optional else inputs - cheapest[port.type]
                if port.type not in rest:
                    heapq.heappush(agenda, (left + actions[rank].cost + others, port.type))
    return rest
