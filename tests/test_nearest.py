"""Did you mean."""

from __future__ import annotations

import pytest

from nemotron.nearest import did_you_mean, nearest

KNOWN = ["learning_rate", "local_batch_size", "global_batch_size", "seed"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("learning_rat", ["learning_rate"]),
        ("locl_batch_size", ["local_batch_size"]),
        ("batch_size", ["local_batch_size"]),
        ("sede", ["seed"]),
        ("nothing", []),
        ("", []),
    ],
)
def test_a_slip_finds_what_was_meant(name: str, expected: list[str]) -> None:
    assert nearest(name, iter(KNOWN)) == expected
    assert did_you_mean(name, KNOWN) == (f"did you mean '{expected[0]}'?" if expected else "")


def test_several_come_best_first() -> None:
    assert nearest("local_batch_siz", KNOWN, count=2) == ["local_batch_size", "global_batch_size"]
