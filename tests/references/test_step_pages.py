"""The tables in the pages of steps: defaults and GPUs are those of the shipped configs."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pages import CATALOG

from nemotron.config.layers import read_layers
from nemotron.config.overrides import parse_overrides
from nemotron.config.tree import MISSING

_WRITTEN = re.compile(r"`(?P<code>[^`]+)`|(?P<plain>-?[\d.]+(?:e-?\d+)?|true|false|null|–)")


def rows(step: str, *titles: str) -> list[list[str]]:
    """The cells of the tables with these titles in a step's page."""
    page = (CATALOG.step(step).folder / "README.md").read_text(encoding="utf-8")
    head = r"^\| " + r" \| ".join(titles) + r" \|\n\|[-|]+\|\n((?:\|.*\n?)+)"
    tables = re.findall(head, page, re.MULTILINE)
    return [[cell.strip() for cell in line.strip("|").split("|")] for t in tables for line in t.splitlines()]


def stated(text: str) -> tuple[bool, Any]:
    """Whether a default is written as a value, not in words; and the value."""
    found = _WRITTEN.fullmatch(text)
    if found is None:
        return False, None
    value = found["code"] or found["plain"]
    return True, None if value == "–" else parse_overrides([f"key={value}"])[0].value


@pytest.mark.parametrize("step", list(CATALOG.folders))
def test_defaults_are_those_of_the_default_config(step: str) -> None:
    config = read_layers(CATALOG.step(step).config_folder / "default.yaml")
    for names, defaults, _ in rows(step, "key", "default", "meaning"):
        first, *others = re.findall(r"`([^`]+)`", names)
        table = first.rpartition(".")[0]
        keys = [first, *(key if "." in key or not table else f"{table}.{key}" for key in others)]
        for key, text in zip(keys, defaults.split(", "), strict=False):
            literal, value = stated(text)
            if literal and "…" not in key:
                there = config.get(key)
                assert (None if there == MISSING else there) == value, key


@pytest.mark.parametrize("step", list(CATALOG.folders))
def test_gpus_are_those_of_each_config(step: str) -> None:
    table = rows(step, "config", "model", "GPUs", "layout")
    for name, _, gpus, _ in table:
        config = read_layers(CATALOG.step(step).config_folder / f"{name.strip('`')}.yaml")
        assert config.get("run.gpus") == (0 if gpus == "CPU" else int(gpus)), name
    assert not table or {row[0].strip("`") for row in table} == set(CATALOG.step(step).config_names())
