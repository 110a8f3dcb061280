"""Kinds of GPU by the names that people use."""

from __future__ import annotations

import pytest
from small import failure

from nemotron.hardware.gpu_table import gpu_kind, gpu_kinds


def test_every_kind_has_memory_and_a_number_for_a_node() -> None:
    assert {"h100", "h200", "a100"} <= gpu_kinds().keys()
    for name, kind in gpu_kinds().items():
        assert name == name.lower() == kind.name
        assert 8 <= kind.memory_gib <= 400
        assert 1 <= kind.per_node <= 16


@pytest.mark.parametrize("name", ["h200", "H200", "H-200", "h 200"])
def test_a_kind_is_found_however_it_is_written(name: str) -> None:
    assert (gpu_kind(name).name, gpu_kind(name).memory_gib) == ("h200", 141.0)


@pytest.mark.parametrize(("name", "fix"), [("h2000", "did you mean 'h200'?"), ("zzz", "known: a100, ")])
def test_an_unknown_kind_is_reported(name: str, fix: str) -> None:
    found = failure(lambda: gpu_kind(name))
    assert found.code == "NMT284"
    assert found.fix.startswith(fix)
