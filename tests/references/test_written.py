"""SKILL.md and the written pages of references/: the form of a skill, and that what pages name exists."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from pages import CATALOG, catalog_keys, code_spans, keys_in, steps_in

from nemotron.checking.codes import all_codes
from nemotron.cli import app

REPOSITORY = Path(__file__).resolve().parents[2]
SKILL = (REPOSITORY / "SKILL.md").read_text(encoding="utf-8")
PAGES = [
    "SKILL.md",
    "references/HARDWARE.md",
    "references/WORKFLOW.md",
    "references/act/PROJECT.md",
    "references/act/STAGE.md",
]
# Dotted names that are no config key: of Python, and of the answer of a plan.
OTHER_NAMES = {"nemotron.backends.job.run"}


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> str:
    return (REPOSITORY / request.param).read_text(encoding="utf-8")


def front_matter() -> dict[str, Any]:
    found = re.match(r"---\n(.*?)\n---\n\n# ", SKILL, re.DOTALL)
    assert found is not None
    fields = yaml.safe_load(found[1])
    assert isinstance(fields, dict)
    return fields


def test_a_skill_begins_with_its_name_description_and_license() -> None:
    fields = front_matter()
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert fields.keys() == {"name", "description", "license"}
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", fields["name"])
    assert (fields["name"], fields["license"]) == (project["name"], project["license"])
    assert 100 <= len(fields["description"]) <= 1024


def test_a_skill_is_short_and_leads_on() -> None:
    assert len(SKILL.splitlines()) <= 100
    assert re.findall(r"^## (.+)$", SKILL, re.M) == ["When", "Flow", "Safety", "The answer"]
    targets = set(re.findall(r"\]\(([^)]+)\)", SKILL))
    named = {f"references/{name}.md" for name in ("CATALOG", "ARTIFACTS", "COMMANDS", "HARDWARE", "WORKFLOW")}
    assert {*named, "references/act/PROJECT.md", "references/act/STAGE.md"} <= targets


def test_the_exit_codes_that_a_skill_names_are_those_of_the_code() -> None:
    said = re.search(r"Exit codes: (.+?)\.", SKILL, re.DOTALL)
    assert said is not None
    numbers = {int(number) for number in re.findall(r"\d+", said[1])}
    assert numbers == {0, 1, 2, 3, 4}
    assert numbers.isdisjoint({app.BUG, app.INTERRUPTED})


def test_codes_steps_and_keys_that_a_page_names_exist(page: str) -> None:
    assert set(re.findall(r"NMT\d+", page)) - {entry.code for entry in all_codes()} == set()
    assert steps_in(page) - set(CATALOG.folders) == set()
    assert keys_in(page) - catalog_keys() - OTHER_NAMES == set()


def test_types_and_patterns_that_a_page_names_exist(page: str) -> None:
    spans = {span for span in code_spans(page) if re.fullmatch(r"[a-z]+(_[a-z]+)+", span)}
    known = {*CATALOG.types.types, *(part for key in catalog_keys() for part in key.split("."))}
    assert spans - known - {"required_inputs"} == set()  # the one field of a plan's document


def test_lines_are_not_long(page: str) -> None:
    text = re.sub(r"^```.*?^```|^\|.*$|^ +```.*?^ +```", "", page, flags=re.M | re.S)
    assert [line for line in text.splitlines() if len(line) > 120] == []
