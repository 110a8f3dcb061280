"""The search: AND needs all inputs, OR takes the cheapest, and what is better than what."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nemotron.planning.problem import Action, Derivation, Given, Output, Port, Problem
from nemotron.planning.search import search


def action(step: str, inputs: Sequence[str | Port], *outputs: str | Output, cost: float = 1.0) -> Action:
    """A use of a step; a port or an output given by its type has the type's name."""
    ports = tuple(Port(each, each) if isinstance(each, str) else each for each in inputs)
    made = tuple(Output(each, each) if isinstance(each, str) else each for each in outputs)
    return Action(step, cost, ports, made)


def problem(want: str, givens: Sequence[str | Given], *actions: Action, **more: object) -> Problem:
    """A problem whose types have no parents, unless `ancestors` says otherwise."""
    known = tuple(Given(each, each) if isinstance(each, str) else each for each in givens)
    types = {want, *(g.type for g in known)}
    for each in actions:
        types |= {port.type for port in each.ports} | {output.type for output in each.outputs}
    ancestors = {kind: [kind] for kind in types} | dict(more.pop("ancestors", {}))  # type: ignore[call-overload]
    return Problem(want, known, actions, ancestors, **more)  # type: ignore[arg-type]


def shown(derivation: Derivation | None) -> str:
    """A derivation as an expression: `step(port=…)`, with the output where the step has several."""
    if derivation is None:
        return "-"
    if derivation.given is not None:
        return derivation.given.name
    assert derivation.action is not None
    assert derivation.output is not None
    ports = zip(derivation.action.ports, derivation.inputs, strict=True)
    inside = ", ".join(f"{port.name}={shown(made)}" for port, made in ports if made is not None)
    several = f".{derivation.output.name}" if len(derivation.action.outputs) > 1 else ""
    return f"{derivation.action.step}({inside}){several}"


def best(asked: Problem) -> str:
    return shown(next(iter(search(asked)), None))


# --- what a derivation is -----------------------------------------------------------------------------------


def test_a_step_needs_all_of_its_inputs() -> None:
    train = action("train", ["data", "base"], "model")
    assert best(problem("model", ["data", "base"], train)) == "train(data=data, base=base)"
    assert search(problem("model", ["data"], train)) == []


def test_of_several_ways_the_cheapest_is_taken() -> None:
    dear, cheap = action("a", ["x"], "y", cost=2.0), action("b", ["x"], "y", cost=1.5)
    asked = problem("y", ["x"], dear, cheap)
    assert [shown(found) for found in search(asked)] == ["b(x=x)", "a(x=x)"]


def test_a_longer_way_that_costs_less_is_taken() -> None:
    steps = [action("a", ["x"], "m"), action("b", ["m"], "y"), action("c", ["x"], "y", cost=2.5)]
    found = search(problem("y", ["x"], *steps))
    assert [(shown(each), each.cost) for each in found] == [("b(m=a(x=x))", 2.0), ("c(x=x)", 2.5)]


def test_everything_at_hand_is_used_before_cost_counts() -> None:
    short = action("short", ["x"], "y", cost=0.1)
    long = [action("mix", ["x", "z"], "m", cost=5.0), action("end", ["m"], "y", cost=5.0)]
    assert best(problem("y", ["x", "z"], short, *long)) == "end(m=mix(x=x, z=z))"
    assert best(problem("y", ["x"], short, *long)) == "short(x=x)"


def test_a_have_is_never_the_answer() -> None:
    tune = action("tune", [Port("base", "model"), "data"], "model")
    assert best(problem("model", ["model", "data"], tune)) == "tune(base=model, data=data)"
    assert search(problem("model", ["model"])) == []


def test_a_plan_goes_through_what_is_named_before_cost_counts() -> None:
    direct = action("direct", ["x"], "y")
    around = [action("first", ["x"], "m", cost=3.0), action("second", ["m"], "y", cost=3.0)]
    asked = problem("y", ["x"], direct, *around)
    assert best(asked) == "direct(x=x)"
    assert best(replace(asked, through=("first",))) == "second(m=first(x=x))"


def test_all_haves_come_before_what_is_named() -> None:
    both = action("both", ["x", "z"], "y", cost=4.0)
    named = action("named", ["x"], "y")
    assert best(problem("y", ["x", "z"], both, named, through=("named",))) == "both(x=x, z=z)"


def test_a_step_without_inputs_makes_what_is_wanted_and_nothing_else() -> None:
    write = action("write", [], "text")
    assert best(problem("text", [], write)) == "write()"
    train = action("train", ["text", "base"], "model")
    assert search(problem("model", ["base"], write, train)) == []
    through = problem("model", ["base"], write, train, through=("write",))
    assert best(through) == "train(text=write(), base=base)"


def test_a_child_goes_where_its_parent_is_asked_for() -> None:
    use = action("use", ["parent"], "y")
    kinds = {"child": ["child", "parent"]}
    assert best(problem("y", ["child"], use, ancestors=kinds)) == "use(parent=child)"
    assert search(problem("y", ["parent"], action("use", ["child"], "y"))) == []


def test_a_child_is_taken_for_its_parent_only_with_the_facts_for_it() -> None:
    use = action("use", ["parent"], "y")
    kinds = {"child": ["child", "parent"]}
    for language, expected in (("th", "use(parent=child)"), ("de", "-")):
        have = Given("child", "child", {"language": language})
        where = {"child": {"language": "th"}}
        assert best(problem("y", [have], use, ancestors=kinds, where=where)) == expected


def test_constants_of_a_port_must_agree_with_what_is_known() -> None:
    use = action("use", [Port("data", "data", constants={"record": "text"})], "y")
    for facts, expected in (
        ({"record": "text"}, "use(data=d)"),
        ({"record": "chat"}, "-"),
        ({}, "use(data=d)"),
    ):
        assert best(problem("y", [Given("d", "data", facts)], use)) == expected


def test_facts_are_carried_through_a_step() -> None:
    keep = action("keep", ["raw"], Output("data", "data", carried={"record": (0, "record")}))
    use = action("use", [Port("data", "data", constants={"record": "text"})], "y")
    assert best(problem("y", [Given("d", "raw", {"record": "chat"})], keep, use)) == "-"
    assert best(problem("y", [Given("d", "raw", {"record": "text"})], keep, use)) == "use(data=keep(raw=d))"


def test_a_step_is_not_used_to_make_its_own_input() -> None:
    tune = action("tune", [Port("base", "model")], "model")
    assert [shown(found) for found in search(problem("model", ["model"], tune))] == ["tune(base=model)"]


# --- ports of one type --------------------------------------------------------------------------------------

DISTILL = action("distill", [Port("teacher", "model"), Port("student", "model")], "y")


def test_two_ports_of_one_type_take_two_things() -> None:
    assert search(problem("y", [Given("one", "model")], DISTILL)) == []
    two = [Given("one", "model"), Given("two", "model")]
    assert best(problem("y", two, DISTILL)) == "distill(teacher=one, student=two)"


@pytest.mark.parametrize("names", [("teacher", "student"), ("student", "teacher")])
def test_a_have_goes_to_the_port_of_its_name(names: tuple[str, str]) -> None:
    givens = [Given(name, "model") for name in names]
    assert best(problem("y", givens, DISTILL)) == "distill(teacher=teacher, student=student)"


def test_one_name_is_enough() -> None:
    givens = [Given("mine", "model"), Given("teacher", "model")]
    assert best(problem("y", givens, DISTILL)) == "distill(teacher=teacher, student=mine)"


# --- optional inputs ----------------------------------------------------------------------------------------

TUNE = action("tune", ["data", Port("judge", "service", optional=True)], "model")


def test_an_optional_input_is_used_where_it_is_at_hand() -> None:
    assert best(problem("model", ["data"], TUNE)) == "tune(data=data)"
    assert best(problem("model", ["data", "service"], TUNE)) == "tune(data=data, judge=service)"


def test_an_optional_input_is_not_made_for_its_own_sake() -> None:
    serve = action("serve", ["data"], "service", cost=0.1)
    assert best(problem("model", ["data"], TUNE, serve)) == "tune(data=data)"


@pytest.mark.parametrize("cost", [0.1, 1.0, 5.0])
def test_an_optional_input_is_made_where_the_plan_must_go_through_its_maker(cost: float) -> None:
    """Whichever of the two inputs is found first."""
    make = action("make", ["raw"], "data", cost=1.0)
    serve = action("serve", ["raw"], "service", cost=cost)
    asked = problem("model", ["raw"], make, TUNE, serve, through=("serve",))
    assert best(asked) == "tune(data=make(raw=raw), judge=serve(raw=raw))"


def test_a_sibling_fills_an_optional_input() -> None:
    split = action("split", ["raw"], Output("train", "data"), Output("rest", "data"))
    tune = action("tune", ["data", Port("validation", "data", optional=True)], "model")
    found = best(problem("model", ["raw"], split, tune))
    assert found in (
        "tune(data=split(raw=raw).train, validation=split(raw=raw).rest)",
        "tune(data=split(raw=raw).rest, validation=split(raw=raw).train)",
    )
    named = action(
        "tune",
        [
            Port("data", "data", constants={"split": "train"}),
            Port("validation", "data", optional=True, constants={"split": "rest"}),
        ],
        "model",
    )
    told = action(
        "split",
        ["raw"],
        Output("rest", "data", {"split": "rest"}),
        Output("train", "data", {"split": "train"}),
    )
    expected = "tune(data=split(raw=raw).train, validation=split(raw=raw).rest)"
    assert best(problem("model", ["raw"], told, named)) == expected


def test_an_optional_input_is_not_what_another_port_has() -> None:
    tune = action("tune", ["data", Port("validation", "data", optional=True)], "model")
    assert best(problem("model", ["data"], tune)) == "tune(data=data)"
    more = [Given("data", "data"), Given("held_out", "data")]
    assert best(problem("model", more, tune)) == "tune(data=data, validation=held_out)"


# --- what a plan does not do --------------------------------------------------------------------------------


def test_a_form_is_not_changed_there_and_back() -> None:
    there, back = action("there", ["a"], "b"), action("back", ["b"], "a")
    use = action("use", ["a", "b"], "y")
    converters = frozenset({"there", "back"})
    asked = problem("a", ["a"], there, back, converters=converters)
    assert search(asked) == []
    assert best(replace(asked, converters=frozenset())) == "back(b=there(a=a))"
    assert best(problem("y", ["a"], use, there, back, converters=converters)) == "use(a=a, b=there(a=a))"


def test_a_step_comes_after_those_that_it_follows() -> None:
    """Both orders cost the same, but for what comes too early."""
    pretrain = action("pretrain/a", [Port("base", "model"), "text"], "model")
    tune = action("sft/a", [Port("base", "model"), "chat"], "model")
    asked = problem("model", ["text", "chat", "model"], pretrain, tune, follows={"sft/a": ["pretrain"]})
    assert best(asked) == "sft/a(base=pretrain/a(base=model, text=text), chat=chat)"


# --- ties and alternatives ----------------------------------------------------------------------------------


def test_ties_are_broken_by_id() -> None:
    steps = [action(name, ["x"], "y") for name in ("c", "a", "b")]
    assert [shown(found) for found in search(problem("y", ["x"], *steps))] == ["a(x=x)", "b(x=x)", "c(x=x)"]


def test_alternatives_differ_in_their_steps() -> None:
    packed = action("train", ["x"], "y", cost=1.0)
    loose = action("train", [Port("other", "x")], "y", cost=1.5)
    other = action("tune", ["x"], "y", cost=3.0)
    found = [shown(each) for each in search(problem("y", ["x"], packed, loose, other))]
    assert found == ["train(x=x)", "tune(x=x)"]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_so_many_are_found_as_were_asked_for(count: int) -> None:
    steps = [action(f"s{number}", ["x"], "y", cost=number) for number in range(1, 7)]
    found = search(problem("y", ["x"], *steps), count)
    assert [each.cost for each in found] == [1.0, 2.0, 3.0][:count]


# --- against an enumeration of every derivation -------------------------------------------------------------


def every_derivation(asked: Problem, depth: int) -> dict[str, list[tuple[float, int, frozenset[str], str]]]:
    """By brute force, for each type: cost, what is used, the steps and the expression of every derivation
    of at most `depth` steps in a row. For problems with required ports of different types alone."""
    bits = {given.name: 1 << bit for bit, given in enumerate(asked.givens)}
    rows: dict[str, set[tuple[float, int, frozenset[str], str]]] = {kind: set() for kind in asked.ancestors}
    for known in asked.givens:
        rows[known.type].add((0.0, bits[known.name], frozenset(), known.name))
    for _ in range(depth):
        grown = {kind: set(found) for kind, found in rows.items()}
        for use in asked.actions:
            for chosen in product(*(rows[port.type] for port in use.ports)):
                if any(use.step in inside for _, _, inside, _ in chosen):
                    continue
                cost = use.cost + sum(each[0] for each in chosen)
                uses = 0
                for each in chosen:
                    uses |= each[1]
                steps = frozenset({use.step}).union(*(each[2] for each in chosen))
                text = f"{use.step}({', '.join(each[3] for each in chosen)})"
                for output in use.outputs:
                    grown[output.type].add((round(cost, 6), uses, steps, text))
        if all(len(grown[kind]) == len(rows[kind]) for kind in rows):
            break
        rows = grown
    return {kind: sorted(found, key=lambda row: (row[0], row[3])) for kind, found in rows.items()}


def ranked(asked: Problem) -> Iterator[tuple[int, float, frozenset[str]]]:
    """Of every derivation of what is wanted: haves that stay unused, cost, steps; the best first."""
    whole = every_derivation(asked, depth=len(asked.actions))
    made = [row for row in whole[asked.want] if row[2]]
    count = len(asked.givens)
    yield from sorted(
        ((count - uses.bit_count(), cost, steps) for cost, uses, steps, _ in made),
        key=lambda row: (row[0], row[1], sorted(row[2])),
    )


TYPES = ["a", "b", "c", "d"]


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """Small problems without cycles: four types, up to five steps, one or two things at hand."""
    givens = draw(st.lists(st.sampled_from(TYPES), min_size=1, max_size=2, unique=True))
    steps = []
    for number in range(draw(st.integers(1, 5))):
        later = draw(st.integers(1, len(TYPES) - 1))
        inputs = draw(st.lists(st.sampled_from(TYPES[:later]), min_size=1, max_size=2, unique=True))
        outputs = draw(st.lists(st.sampled_from(TYPES[later:]), min_size=1, max_size=2, unique=True))
        cost = draw(st.sampled_from([0.5, 1.0, 1.5, 2.0]))
        steps.append(action(f"s{number}", inputs, *outputs, cost=cost))
    return problem(draw(st.sampled_from(TYPES)), givens, *steps, ancestors={kind: [kind] for kind in TYPES})


@given(problems())
def test_the_best_is_the_best_of_all(asked: Problem) -> None:
    every = list(ranked(asked))
    found = search(asked)
    assert bool(found) == bool(every)
    if found:
        unused = len(asked.givens) - found[0].uses.bit_count()
        assert (unused, found[0].cost) == pytest.approx(every[0][:2])


@given(problems())
def test_each_alternative_is_the_best_that_leaves_out_a_step_of_each_better_one(asked: Problem) -> None:
    every = list(ranked(asked))
    assume(every)
    found = search(asked)
    for number in range(1, 4):
        better = [each.steps for each in found[:number]]
        left = [row for row in every if not any(steps <= row[2] for steps in better)]
        if len(found) <= number:
            assert len(better) > len(found) or left == []
            break
        unused = len(asked.givens) - found[number].uses.bit_count()
        assert (unused, found[number].cost) == pytest.approx(left[0][:2])


@given(problems(), st.randoms(use_true_random=False))
def test_the_order_of_steps_and_tables_decides_nothing(asked: Problem, order: random.Random) -> None:
    actions, kinds = list(asked.actions), list(asked.ancestors.items())
    order.shuffle(actions)
    order.shuffle(kinds)
    other = replace(asked, actions=tuple(actions), ancestors=dict(kinds))
    assert [shown(each) for each in search(other)] == [shown(each) for each in search(asked)]


@given(problems())
def test_what_a_derivation_says_of_itself_is_so(asked: Problem) -> None:
    for found in search(asked):
        assert found.type == asked.want
        assert found.steps == set(steps_in(found))
        assert found.cost == pytest.approx(cost_of(found))


def steps_in(derivation: Derivation) -> Iterator[str]:
    if derivation.action is not None:
        yield derivation.action.step
    for made in derivation.inputs:
        if made is not None:
            yield from steps_in(made)


def cost_of(derivation: Derivation) -> float:
    own = derivation.action.cost if derivation.action is not None else 0.0
    return own + sum(cost_of(made) for made in derivation.inputs if made is not None)
