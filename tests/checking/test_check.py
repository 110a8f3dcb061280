"""All rules together: every problem at once, each once, worst first."""

from __future__ import annotations

from pathlib import Path

from small import SmallCatalog, checkpoint, codes, jsonl

from nemotron.checking.check import RULES, check_step
from nemotron.diagnostic import Diagnostic, exit_code

PORTS = """
    [[consumes]]
    type = "chat_jsonl"
    at = "data"
    [[consumes]]
    type = "checkpoint_hf"
    at = "base"
    facts = { chat_template = { unless = "template" } }
    [[produces]]
    type = "checkpoint_hf"
    at = "output"
    [[parameters]]
    key = "lr"
    type = "number"
    description = "A rate."
    [[parameters]]
    key = "template"
    type = "string"
    description = "A template."
"""


def stocked(small: SmallCatalog) -> SmallCatalog:
    small.step("train/one", PORTS, default="data: ???\nbase: ???\noutput: null\nlr: 1\ntemplate: null\n")
    return small


def test_all_problems_come_at_once_and_sorted(small: SmallCatalog, project: Path) -> None:
    jsonl(project / "chat.jsonl", "bad")
    checkpoint(project / "base", template=None)
    arguments = [
        "data=chat.jsonl",
        "base=base",
        "lr=fast",
        "output=base",
        "rl=5",
        "x=${nowhere}",
        "key.api_key=hunter2",
    ]
    found = stocked(small).check("train/one", *arguments, gpus=99)
    problems = ["NMT204"] * 3 + ["NMT206", "NMT215", "NMT220", "NMT304", "NMT620", "NMT701", "NMT703"]
    assert sorted(codes(found)) == problems
    assert found == sorted(found, key=Diagnostic.sort_key)
    assert exit_code(found) == 2


def test_a_request_without_problems_has_none(small: SmallCatalog, project: Path) -> None:
    jsonl(project / "chat.jsonl", {"messages": [{"role": "user", "content": "x"}]})
    checkpoint(project / "base")
    assert stocked(small).check("train/one", "data=chat.jsonl", "base=base") == []


def test_what_is_missing_blocks_but_is_no_error(small: SmallCatalog, project: Path) -> None:
    found = stocked(small).check("train/one")
    assert codes(found) == ["NMT208", "NMT208"]
    assert exit_code(found) == 3


def test_a_problem_that_two_rules_meet_is_told_once(small: SmallCatalog, project: Path) -> None:
    request = stocked(small).request("train/one", "x=${nowhere}")
    request.config.problems *= 2
    assert codes(check_step(request)).count("NMT206") == 1


def test_no_rule_changes_the_request(small: SmallCatalog, project: Path) -> None:
    jsonl(project / "chat.jsonl", "bad")
    request = stocked(small).request("train/one", "data=chat.jsonl", "base=gone")
    first = check_step(request)
    assert check_step(request) == first
    assert len(RULES) == len(set(RULES))
