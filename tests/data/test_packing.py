"""Packing: what the fast algorithms do is what the plain ones do, and no pack is over full."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

Ask = Callable[..., Any]
ALGORITHMS = ["first_fit_decreasing", "first_fit_shuffle", "concatenative"]
CASES = st.integers(1, 40).flatmap(
    lambda size: st.tuples(st.lists(st.integers(1, size), max_size=80), st.just(size))
)
quick = settings(max_examples=150, deadline=None, derandomize=True)


def first_fit(lengths: list[int], order: list[int], pack_size: int) -> list[list[int]]:
    """The textbook algorithm: look at every pack, take the first that has room."""
    packs: list[list[int]] = []
    for number in order:
        for pack in packs:
            if sum(lengths[member] for member in pack) + lengths[number] <= pack_size:
                pack.append(number)
                break
        else:
            packs.append([number])
    return packs


@quick
@given(case=CASES)
def test_first_fit_takes_the_first_pack_with_room(ask: Ask, case: tuple[list[int], int]) -> None:
    lengths, size = case
    packs = ask("pack", algorithm="first_fit_shuffle", lengths=lengths, pack_size=size)
    assert packs == first_fit(lengths, list(range(len(lengths))), size)


@quick
@given(case=CASES)
def test_first_fit_decreasing_is_first_fit_of_the_longest_first(
    ask: Ask, case: tuple[list[int], int]
) -> None:
    lengths, size = case
    longest_first = sorted(range(len(lengths)), key=lambda number: -lengths[number])
    packs = ask("pack", algorithm="first_fit_decreasing", lengths=lengths, pack_size=size)
    assert packs == first_fit(lengths, longest_first, size)


@quick
@given(case=CASES)
def test_concatenative_ends_a_pack_where_the_next_does_not_fit(ask: Ask, case: tuple[list[int], int]) -> None:
    lengths, size = case
    packs = ask("pack", algorithm="concatenative", lengths=lengths, pack_size=size)
    assert [number for pack in packs for number in pack] == list(range(len(lengths)))
    held = [sum(lengths[number] for number in pack) for pack in packs]
    assert all(0 < tokens <= size for tokens in held)
    following = [lengths[pack[0]] for pack in packs[1:]]
    assert all(tokens + more > size for tokens, more in zip(held, following, strict=False))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_many_lengths_of_every_kind_are_all_packed(ask: Ask, algorithm: str) -> None:
    lengths = [1 + (number * 7919) % 4096 for number in range(20_000)]
    packs = ask("pack", algorithm=algorithm, lengths=lengths, pack_size=4096)
    assert sorted(number for pack in packs for number in pack) == list(range(len(lengths)))
    assert max(sum(lengths[number] for number in pack) for pack in packs) <= 4096
    full = sum(lengths) / (4096 * len(packs))
    assert full > {"first_fit_decreasing": 0.99, "first_fit_shuffle": 0.95, "concatenative": 0.6}[algorithm]
