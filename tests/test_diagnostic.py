"""Problems: their order, their exit codes, how a place reads."""

from __future__ import annotations

import random

import pytest

from nemotron.diagnostic import Diagnostic, Failure, Place, Severity, blocked, error, exit_code, note, warning


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (Place("f.yaml", 3, 5), "f.yaml:3:5"),
        (Place("f.yaml", 3), "f.yaml:3"),
        (Place("f.yaml", None, 5), "f.yaml"),
        (Place(), "?"),
        (Place(argument="a=1", column=1), "argument 'a=1'"),
    ],
)
def test_a_place_reads_as_compilers_write_it(place: Place, text: str) -> None:
    assert str(place) == text


def test_the_same_problems_always_come_in_one_order() -> None:
    ordered = [
        error("NMT299", "no place"),
        error("NMT200", "by line", where=Place("a", 1, 9)),
        error("NMT201", "by column", where=Place("a", 2, 1)),
        error("NMT200", "by column", where=Place("a", 2, 2)),
        error("NMT201", "by code", where=Place("a", 2, 2)),
        error("NMT201", "by summary", where=Place("a", 2, 2)),
        error("NMT100", "by file", where=Place("b", 1, 1)),
        blocked("NMT100", "by severity"),
        warning("NMT100", "by severity"),
        note("NMT100", "by severity"),
    ]
    for seed in range(20):
        shuffled = random.Random(seed).sample(ordered, len(ordered))
        assert sorted(shuffled, key=Diagnostic.sort_key) == ordered


E, B, W, N = error("NMT1", ""), blocked("NMT1", ""), warning("NMT1", ""), note("NMT1", "")


@pytest.mark.parametrize(
    ("found", "code", "strict_code"),
    [([], 0, 0), ([N], 0, 0), ([W, N], 0, 2), ([B, W], 3, 2), ([B, N], 3, 3), ([N, B, E], 2, 2)],
)
def test_the_exit_code_is_that_of_the_worst(found: list[Diagnostic], code: int, strict_code: int) -> None:
    assert exit_code(found) == code
    assert exit_code(iter(found), strict=True) == strict_code
    assert Failure(found).exit_code == code


def test_a_failure_carries_one_or_many() -> None:
    assert Failure(E).diagnostics == [E]
    assert Failure(iter([E, B])).diagnostics == [E, B]
    assert str(Failure([error("NMT123", "what")])) == "NMT123: what"


def test_severities_are_ordered_worst_first() -> None:
    assert [str(s) for s in Severity] == ["error", "blocked", "warning", "note"]
