"""What counts as a value of a type."""

from __future__ import annotations

from typing import Any

import pytest

from nemotron.checking.value_types import an, has_type


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (3, "integer", True),
        (3.5, "integer", False),
        ("3", "integer", False),
        (True, "integer", False),
        (3, "number", True),
        (True, "number", False),
        (True, "boolean", True),
        (1, "boolean", False),
        ("a", "string", True),
        (1, "string", False),
        (["a"], "list", True),
        ({"a": 1}, "table", True),
        (3, "", True),  # a type that nobody states
    ],
)
def test_a_value_is_of_a_type(value: Any, kind: str, expected: bool) -> None:
    assert has_type(value, kind) is expected


@pytest.mark.parametrize("value", [None, "???", "${oc.env:STEPS}"])
def test_what_is_not_known_yet_is_of_every_type(value: Any) -> None:
    assert has_type(value, "integer")


def test_types_are_named_as_in_a_sentence() -> None:
    assert (an("integer"), an("number")) == ("a whole number", "a number")
