"""The layers of a config: `defaults:`, the file, what is bound, arguments; and our `run:` section."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small import SmallCatalog, failure, position, stands, the, write

from nemotron.catalog.catalog import Step
from nemotron.config.layers import RunSection, find_config, read_layers, resolve_config
from nemotron.config.overrides import parse_overrides
from nemotron.diagnostic import Place, Severity


@pytest.fixture
def step(small: SmallCatalog) -> Step:
    small.step("train/one", default="a: 1\n", tiny="a: 2\n")
    return small.catalog().step("train/one")


def test_a_name_is_a_config_of_the_step(step: Step) -> None:
    assert find_config(step, "tiny") == step.config_folder / "tiny.yaml"


def test_a_name_may_be_one_of_the_projects_own(step: Step, project: Path) -> None:
    own = write(project / "configs" / "train" / "one" / "mine.yaml", "a: 3\n")
    assert find_config(step, "mine") == own


@pytest.mark.parametrize("name", ["here.yaml", "sub/there.yml"])
def test_a_path_is_a_config(step: Step, project: Path, name: str) -> None:
    file = write(project / name, "a: 3\n")
    assert find_config(step, name) == file


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("tinny", "did you mean 'tiny'?"),
        ("elsewhere", "the configs are: default, tiny; or give a path to a .yaml file"),
        ("../one/config/tiny", "did you mean"),
        ("missing.yaml", "the configs are"),
    ],
)
def test_an_unknown_config_is_reported_with_the_known_ones(step: Step, name: str, fix: str) -> None:
    found = failure(lambda: find_config(step, name))
    assert (found.code, found.summary) == ("NMT201", f"train/one has no config '{name}'")
    assert found.fix.startswith(fix) or "the configs are" in found.fix


def test_later_layers_win_and_say_where(tmp_path: Path) -> None:
    first = write(tmp_path / "first.yaml", "a: 1\nb: {x: 1, y: 1}\nl: [1, 2]\n")
    second = write(tmp_path / "sub" / "second.yaml", "defaults: third.yaml\nb: {y: 2}\n")
    third = write(tmp_path / "sub" / "third.yaml", "c: 3\nb: {z: 3}\n")
    top = write(tmp_path / "top.yaml", "defaults: [first.yaml, sub/second.yaml]\na: 4\nl: [3]\n")
    document = read_layers(top)
    assert document.tree == {"a": 4, "b": {"x": 1, "y": 2, "z": 3}, "c": 3, "l": [3]}
    keys = {"a": top, "b.x": first, "b.y": second, "b.z": third, "c": third, "l.0": top}
    assert {key: document.place(key).file for key in keys} == {k: str(f) for k, f in keys.items()}  # type: ignore[union-attr]


def test_a_missing_layer_is_reported_with_the_nearest(tmp_path: Path) -> None:
    write(tmp_path / "default.yaml", "a: 1\n")
    file = write(tmp_path / "mine.yaml", "b: 2\ndefaults: defualt.yaml\n")
    found = failure(lambda: read_layers(file))
    assert (found.code, stands(found.where)) == ("NMT203", position(file, "defaults"))
    assert found.fix == "did you mean 'default.yaml'?"


def test_layers_in_a_cycle_are_reported_where_it_closes(tmp_path: Path) -> None:
    first = write(tmp_path / "a.yaml", "x: 1\ndefaults: b.yaml\n")
    second = write(tmp_path / "b.yaml", "defaults: [a.yaml]\n")
    found = failure(lambda: read_layers(first))
    assert (found.code, stands(found.where)) == ("NMT203", position(second, "defaults"))
    assert "a.yaml → b.yaml → a.yaml" in found.summary


def test_one_file_may_lie_below_two_layers(tmp_path: Path) -> None:
    write(tmp_path / "base.yaml", "a: 1\nb: 1\n")
    write(tmp_path / "one.yaml", "defaults: base.yaml\na: 2\n")
    write(tmp_path / "two.yaml", "defaults: base.yaml\nb: 2\n")
    top = write(tmp_path / "top.yaml", "defaults: [one.yaml, two.yaml]\n")
    assert read_layers(top).tree == {"a": 1, "b": 2}


def test_arguments_lie_over_what_the_plan_binds_and_that_over_the_file(tmp_path: Path) -> None:
    file = write(tmp_path / "c.yaml", "a: 1\nb: 1\nc: 1\nd: ${c}\n")
    config = resolve_config(file, parse_overrides(["c=3"]), {"b": 2, "c": 2})
    assert config.tree == {"a": 1, "b": 2, "c": 3, "d": 3}
    assert config.document.place("b") == Place(argument="b (bound by the plan)")
    assert config.problems == []


def test_what_a_plan_deletes_is_gone_and_a_later_value_comes_back(tmp_path: Path) -> None:
    file = write(tmp_path / "c.yaml", "a: 1\nb: {c: 1, d: 1}\n")
    config = resolve_config(file, parse_overrides(["a=3"]), {"~a": None, "~b.c": None, "~x": None})
    assert config.tree == {"b": {"d": 1}, "a": 3}


@pytest.mark.parametrize("argument", ["defaults=other.yaml", "~defaults", "defaults.0=x"])
def test_an_argument_cannot_change_the_layers(tmp_path: Path, argument: str) -> None:
    file = write(tmp_path / "c.yaml", "a: 1\n")
    found = failure(lambda: resolve_config(file, parse_overrides([argument])))
    assert (found.code, found.where.argument if found.where else None) == ("NMT205", argument)
    assert "-c" in found.fix


RUN = [
    ("{gpus: 4, nodes: 2}", RunSection(4, 2)),
    ("{container_image: 'name:tag'}", RunSection(container_image="name:tag")),
    (
        "{env_vars: {A: 1, B: true, C: x, D: null, E: 1.5}}",
        RunSection(env_vars={"A": "1", "B": "true", "C": "x", "E": "1.5"}),
    ),
    ("{env_vars: null}", RunSection()),
    ("null", RunSection()),
]


@pytest.mark.parametrize(("section", "expected"), RUN)
def test_the_run_section_is_ours(tmp_path: Path, section: str, expected: RunSection) -> None:
    config = resolve_config(write(tmp_path / "c.yaml", f"a: 1\nrun: {section}\n"), [])
    assert (config.run, config.tree, config.problems) == (expected, {"a": 1}, [])


WRONG_RUN = [
    ("run: [4]", "run", "NMT220", "`run` must be a table", ""),
    ("run: false", "run", "NMT220", "`run` must be a table", ""),
    ("run:\n  gpu: 4", "gpu", "NMT204", "unknown key 'run.gpu'", "did you mean 'gpus'?"),
    ("run:\n  other: 4", "other", "NMT204", "unknown key 'run.other'", "known under run: gpus, nodes"),
    ("run:\n  gpus: four", "gpus", "NMT220", "'run.gpus' must be a whole number from 0, not 'four'", ""),
    ("run:\n  gpus: true", "gpus", "NMT220", "'run.gpus' must be", ""),
    ("run:\n  gpus: -1", "gpus", "NMT220", "'run.gpus' must be", ""),
    ("run:\n  nodes: 0", "nodes", "NMT220", "'run.nodes' must be a whole number from 1, not 0", ""),
    ("run:\n  gpus: ???", "gpus", "NMT208", "'run.gpus' needs a value", "add run.gpus=VALUE"),
    ("run:\n  container_image: 5", "container_image", "NMT220", "'run.container_image' must be a string", ""),
    ("run:\n  env_vars: [A]", "env_vars", "NMT220", "'run.env_vars' must be a table", ""),
    ("run:\n  env_vars:\n    A: [1]", "A", "NMT220", "'run.env_vars.A' must be a string or a number", ""),
]


@pytest.mark.parametrize(("text", "key", "code", "summary", "fix"), WRONG_RUN)
def test_a_mistake_in_the_run_section_is_reported_at_its_key(
    tmp_path: Path, text: str, key: str, code: str, summary: str, fix: str
) -> None:
    file = write(tmp_path / "c.yaml", f"a: 1\n{text}\n")
    config = resolve_config(file, [])
    found = the(config.problems, code)
    assert stands(found.where) == position(file, key)
    assert found.severity is (Severity.BLOCKED if code == "NMT208" else Severity.ERROR)
    assert found.summary.startswith(summary)
    assert found.fix.startswith(fix)
    assert config.tree == {"a": 1}


def test_problems_of_references_and_of_the_run_section_come_together(tmp_path: Path) -> None:
    config = resolve_config(write(tmp_path / "c.yaml", "a: ${b}\nrun: 5\n"), [])
    assert [d.code for d in config.problems] == ["NMT206", "NMT220"]


def test_values_of_any_kind_reach_the_config(tmp_path: Path) -> None:
    file = write(tmp_path / "c.yaml", "a: 1\n")
    wanted: dict[str, Any] = {"a": [1, {"x": None}], "b": {"c": "no"}}
    assert resolve_config(file, parse_overrides(["a=[1, {x: null}]", "b.c=no"])).tree == wanted
