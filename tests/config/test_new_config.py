"""A config of one's own: beside the shipped ones, only what differs, nothing overwritten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small import SmallCatalog, failure

from nemotron.catalog import catalog
from nemotron.catalog.catalog import Step
from nemotron.config.layers import find_config, resolve_config
from nemotron.config.new_config import MODELINE, write_new_config
from nemotron.config.overrides import Override, parse_overrides


@pytest.fixture
def step(small: SmallCatalog) -> Step:
    small.step("train/one", default="model: {name: big, size: 8}\nlr: 1e-5\n", tiny="lr: 1\n")
    return small.catalog().step("train/one")


def test_the_new_config_holds_what_differs(step: Step, tmp_path: Path) -> None:
    file = write_new_config(step, "mine", parse_overrides(["model.name=small", "lr=2e-5"]), tmp_path)
    assert file.read_text(encoding="utf-8") == "defaults: default.yaml\nmodel:\n  name: small\nlr: 2.0e-05\n"
    assert find_config(step, "mine") == file
    assert resolve_config(file, []).tree == {"model": {"name": "small", "size": 8}, "lr": 2e-5}


def test_its_first_line_names_the_schema_that_the_step_has(step: Step, tmp_path: Path) -> None:
    (step.config_folder / "schema.json").write_text("{}", encoding="utf-8")
    file = write_new_config(step, "mine", parse_overrides(["lr=2"]), tmp_path)
    first, *rest = file.read_text(encoding="utf-8").splitlines()
    assert (first, rest) == (MODELINE.format("schema.json"), ["defaults: default.yaml", "lr: 2"])
    assert step.config_names() == ["default", "mine", "tiny"]


def test_beside_an_installed_package_it_lies_in_the_project(
    step: Step, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "_PACKAGE", step.folder)
    installed = Step(step.manifest, step.folder / "_catalog" / "train" / "one")
    installed.config_folder.mkdir(parents=True)
    (installed.config_folder / "default.yaml").write_text("lr: 1\nx: 2\n", encoding="utf-8")
    file = write_new_config(installed, "mine", parse_overrides(["lr=3"]), project)
    assert file == project / "configs" / "train" / "one" / "mine.yaml"
    assert find_config(installed, "mine") == file
    assert resolve_config(file, []).tree == {"lr": 3, "x": 2}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    value=st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8).filter(lambda t: "$" not in t)
)
def test_a_value_reads_back_as_it_was_given(step: Step, tmp_path: Path, value: Any) -> None:
    file = write_new_config(step, "mine", [Override("x", value, "x=…")], tmp_path)
    try:
        assert resolve_config(file, []).tree["x"] == value
    finally:
        file.unlink()


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "mine.yaml", "a b", "mine\n"])
def test_what_cannot_be_a_name_is_refused(step: Step, tmp_path: Path, name: str) -> None:
    found = failure(lambda: write_new_config(step, name, [], tmp_path))
    assert (found.code, found.fix) == ("NMT209", "use letters, digits, - and _")


@pytest.mark.parametrize("name", ["default", "tiny"])
def test_a_config_that_is_there_is_not_overwritten(step: Step, tmp_path: Path, name: str) -> None:
    before = (step.config_folder / f"{name}.yaml").read_bytes()
    found = failure(lambda: write_new_config(step, name, parse_overrides(["lr=3"]), tmp_path))
    assert (found.code, found.where.file if found.where else "") == (
        "NMT209",
        str(step.config_folder / f"{name}.yaml"),
    )
    assert (step.config_folder / f"{name}.yaml").read_bytes() == before


@pytest.mark.parametrize("argument", ["api_key=hunter2", "x=hf_" + "a1" * 20, "env.password=[hunter2]"])
def test_a_secret_is_not_written(step: Step, tmp_path: Path, argument: str) -> None:
    found = failure(lambda: write_new_config(step, "mine", parse_overrides([argument]), tmp_path))
    assert (found.code, found.where.argument if found.where else "") == ("NMT701", argument)
    assert "${oc.env:NAME}" in found.fix
    assert not (step.config_folder / "mine.yaml").exists()


def test_a_reference_to_a_secret_is_written(step: Step, tmp_path: Path) -> None:
    file = write_new_config(step, "mine", parse_overrides(["api_key=${oc.env:MY_KEY}"]), tmp_path)
    assert "api_key: ${oc.env:MY_KEY}" in file.read_text(encoding="utf-8")
