"""The schema of `step.toml`: the forms of a fact, ports, limits."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from nemotron.catalog.manifest import Consumes, Manifest, Parameter, Produces

HEAD = {"id": "a/b", "version": 1, "name": "A", "summary": "S.", "description": "D."}

FORMS: list[tuple[Any, dict[str, Any]]] = [
    ("key", {"keys": ("key",)}),
    (["a", "b.c"], {"keys": ("a", "b.c")}),
    ({"value": "safetensors"}, {"value": "safetensors"}),
    ({"value": 0}, {"value": 0}),
    ({"value": False}, {"value": False}),
    ({"from": "base.tokenizer"}, {"from_": "base.tokenizer"}),
    ({"from": "base.tokenizer", "unless": "x"}, {"from_": "base.tokenizer", "unless": "x"}),
    ({"measured": True}, {"measured": True}),
    ({"same_as": "base.model"}, {"same_as": "base.model"}),
    ({"at_least": "x"}, {"at_least": "x"}),
    ({"unless": "x"}, {"unless": "x"}),
]


@pytest.mark.parametrize(("written", "read"), FORMS)
def test_a_fact_has_one_of_its_forms(written: Any, read: dict[str, Any]) -> None:
    rule = Consumes.model_validate({"type": "t", "at": "x", "facts": {"f": written}}).facts["f"]
    given = {name: value for name, value in rule if value is not None and value is not False and value != ()}
    assert given == read or (read == {"value": False} and rule.value is False)


@pytest.mark.parametrize(
    "written",
    [
        {},
        [],
        {"measured": False},
        {"value": 1, "from": "a.b"},
        {"at_least": "a", "at_most": "b"},
        {"value": 1, "unless": "x"},
        5,
        None,
    ],
)
def test_other_forms_are_refused(written: Any) -> None:
    with pytest.raises(ValidationError):
        Consumes.model_validate({"type": "t", "at": "x", "facts": {"f": written}})


def test_a_port_is_named_after_its_type() -> None:
    assert Consumes.model_validate({"type": "t", "at": "x"}).name == "t"
    assert Produces.model_validate({"type": "t", "at": "x", "name": "n"}).name == "n"


@pytest.mark.parametrize("kind", ["consumes", "produces"])
def test_two_ports_of_one_name_are_refused(kind: str) -> None:
    port = {"type": "t", "at": "x"}
    with pytest.raises(ValidationError, match="names a port twice: t"):
        Manifest.model_validate({"step": HEAD, kind: [port, port]})
    assert Manifest.model_validate({"step": HEAD, kind: [port, {**port, "name": "u"}]})


@pytest.mark.parametrize(
    "change",
    [{"version": 0}, {"version": "x"}, {"gpus": -1}, {"launch": "mpirun"}, {"id": None}, {"extra": 1}],
)
def test_a_head_that_makes_no_sense_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Manifest.model_validate({"step": {**HEAD, **change}})


def test_a_manifest_is_read_only() -> None:
    parameter = Parameter.model_validate({"key": "x", "type": "integer", "description": ""})
    with pytest.raises(ValidationError):
        parameter.key = "y"
