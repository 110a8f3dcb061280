"""Markdown of the generated pages."""

from __future__ import annotations

import pytest

from nemotron.reporting.references.markdown import anchor, prose, table


@pytest.mark.parametrize(
    ("heading", "fragment"),
    [
        ("sft/automodel", "#sftautomodel"),
        ("rl/nemo_rl/dpo", "#rlnemo_rldpo"),
        ("NMT1xx: the catalog", "#nmt1xx-the-catalog"),
        ("What makes what", "#what-makes-what"),
    ],
)
def test_an_anchor_is_that_of_a_repositorys_page(heading: str, fragment: str) -> None:
    assert anchor(heading) == fragment


def test_marks_in_text_stand_for_themselves_but_not_in_code() -> None:
    assert prose("iter_* of <run>,\n see `a*b<c>` [1]") == r"iter_\* of \<run\>, see `a*b<c>` \[1\]"


def test_a_cell_keeps_its_bars_and_stays_on_a_line() -> None:
    assert list(table(["A", "B"], [["a|b", "c\nd"]])) == ["| A | B |", "| --- | --- |", "| a\\|b | c d |", ""]
