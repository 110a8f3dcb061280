"""What editors are told of manifests, types, profiles and pipelines: the shipped files are right by it."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from nemotron.catalog.catalog import default_catalog
from nemotron.checking.editor_forms import FORMS
from nemotron.config.yaml_places import parse_yaml, read_yaml

REPOSITORY = Path(__file__).resolve().parents[2]
STEP = '[step]\nid = "a/b"\nversion = 1\nname = "B"\nsummary = "B."\ndescription = "B."\n'
PIPELINE = "version: 1\nwant: checkpoint_hf\n"


@cache
def validator(form: str) -> jsonschema.Draft202012Validator:
    schema = FORMS[form](default_catalog())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def is_valid(form: str, text: str) -> bool:
    tree: Any = parse_yaml(text, form).tree if form.endswith(".yaml") else tomllib.loads(text)
    return validator(form).is_valid(tree)


def shipped() -> list[tuple[str, Path]]:
    manifests = sorted((REPOSITORY / "steps").glob("**/step.toml"))
    named = {"types.toml": "steps/types.toml", "env.toml": "env.example.toml"}
    pipelines = sorted((REPOSITORY / "examples").glob("**/pipeline.yaml"))
    return [
        *(("step.toml", file) for file in manifests),
        *((form, REPOSITORY / file) for form, file in named.items()),
        *(("pipeline.yaml", file) for file in pipelines),
    ]


@pytest.mark.parametrize(
    ("form", "file"), shipped(), ids=lambda value: str(value).removeprefix(str(REPOSITORY))
)
def test_shipped_files_are_valid(form: str, file: Path) -> None:
    tree = read_yaml(file).tree if file.suffix == ".yaml" else tomllib.loads(file.read_text(encoding="utf-8"))
    assert [problem.message for problem in validator(form).iter_errors(tree)] == []


@pytest.mark.parametrize(
    ("form", "right", "wrong"),
    [
        ("step.toml", STEP, STEP.replace("version = 1", 'version = "one"')),
        ("step.toml", STEP + 'launch = "ray"', STEP + 'launch = "rocket"'),
        ("step.toml", STEP, STEP + 'sumary = "B."'),
        (
            "step.toml",
            STEP
            + '[[consumes]]\ntype = "t"\nat = "k"\nfacts = { a = "k", b = ["k", "l"], c = { value = 1 } }',
            STEP + '[[consumes]]\ntype = "t"\nat = "k"\nfacts = { a = { valeu = 1 } }',
        ),
        ("types.toml", '[types.t]\ndescription = "T."', '[types.t]\ndescription = "T."\nisa = "u"'),
        (
            "types.toml",
            '[facts.f]\nkind = "name"\ndescription = "F."',
            '[facts.f]\nkind = "nam"\ndescription = "F."',
        ),
        ("env.toml", '[here]\nexecutor = "local"', '[here]\nexecutor = "lokal"'),
        ("env.toml", '[c]\nmounts = ["/a:/b"]', "[c]\nmounts = [3]"),
        ("env.toml", "[c.env_vars]\nDEBUG = true\nN = 1", "[c.env_vars]\nN = [1]"),
        ("env.toml", "[c]\nnodes = 2", "[c]\nnodes = 0"),
        ("pipeline.yaml", PIPELINE, PIPELINE.replace("1", "2")),
        ("pipeline.yaml", PIPELINE, PIPELINE.replace("checkpoint_hf", "checkpoint_hff")),
        (
            "pipeline.yaml",
            PIPELINE + "steps: {a: {step: sft/automodel, gpus: 8}}",
            PIPELINE + "steps: {a: {step: sft/automodel, gpus: many}}",
        ),
        ("pipeline.yaml", PIPELINE + "steps: {a: {step: our/own}}", PIPELINE + "steps: {1: {step: our/own}}"),
        ("pipeline.yaml", PIPELINE + "hardware:\n  nodes: ???", PIPELINE + "hardware:\n  nodes: two"),
        (
            "pipeline.yaml",
            PIPELINE + "have: {chat: {type: training_jsonl, path: a.jsonl}}",
            PIPELINE + "have: {chat: {path: a.jsonl}}",
        ),
    ],
)
def test_a_mistake_is_found(form: str, right: str, wrong: str) -> None:
    assert is_valid(form, right)
    assert not is_valid(form, wrong)


def test_editors_of_toml_find_the_schema_of_every_shipped_file() -> None:
    rules = tomllib.loads((REPOSITORY / ".taplo.toml").read_text(encoding="utf-8"))["rule"]
    found = {
        file: rule["schema"]["path"]
        for rule in rules
        for pattern in rule["include"]
        for file in REPOSITORY.glob(pattern)
    }
    for form, file in shipped():
        if file.suffix == ".toml":
            assert found[file] == f"references/schemas/{form.removesuffix('.toml')}.json"
