"""`nemotron schema`."""

from __future__ import annotations

import json
from pathlib import Path

from catalogs.helpers import Nemotron

REPOSITORY = Path(__file__).resolve().parents[2]


def test_the_schema_of_a_step_is_the_one_beside_its_configs(nemotron: Nemotron) -> None:
    printed = nemotron("schema", "merge_lora").stdout
    shipped = REPOSITORY / "steps" / "convert" / "merge_lora" / "config" / "schema.json"
    assert printed == shipped.read_text(encoding="utf-8")


def test_other_files_have_schemas_too(nemotron: Nemotron) -> None:
    assert json.loads(nemotron("schema", "pipeline.yaml").stdout)["title"] == "A pipeline"


def test_an_unknown_step_is_an_error_with_the_nearest_one(nemotron: Nemotron) -> None:
    ended = nemotron("schema", "sft/automodle")
    assert ended.returncode == 2
    assert "sft/automodel" in ended.stderr
