"""TOML files as models: every mistake at once, each with its place and what was meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from small import failure, failures, position, stands, write

from nemotron.catalog.manifest import Manifest
from nemotron.catalog.toml_model import read_toml
from nemotron.catalog.types import TypesFile

STEP = """
    [step]
    id = "a/b"
    version = 1
    name = "A"
    summary = "S."
    description = "D."
"""


def manifest(tmp_path: Path, more: str = "", step: str = STEP) -> Path:
    return write(tmp_path / "step.toml", step + more)


MISTAKES = [
    (
        "[[consumes]]\ntype = 't'\nat = 'x'\nrequird = true",
        "requird",
        "NMT102",
        "unknown key",
        "did you mean 'required'?",
    ),
    (
        "[[consumes]]\ntype = 't'\nat = 'x'\nqqq = true",
        "qqq",
        "NMT102",
        "unknown key",
        "known here: apart, at, cost, description, facts",
    ),
    ("[[consumes]]\nat = 'x'", "[[consumes]]", "NMT103", "'consumes.0.type' is missing", "add type = …"),
    (
        "[[parameters]]\nkey = 'x'\ntype = 'int'\ndescription = ''",
        "type = 'int'",
        "NMT103",
        "parameters.0.type",
        "",
    ),
    (
        "[[parameters]]\nkey = 'x'\ntype = 'string'\ndescription = 5",
        "description = 5",
        "NMT103",
        "valid string",
        "",
    ),
    (
        "[[consumes]]\ntype = 't'\nat = 'x'\n[consumes.facts]\nrecord = { value = 'm', from = 'a.b' }",
        "record",
        "NMT103",
        "a fact is one of",
        "",
    ),
    (
        "[[consumes]]\ntype = 't'\nat = 'x'\n[consumes.facts]\nrecord = { vaue = 'm' }",
        "record",
        "NMT102",
        "unknown key",
        "did you mean 'value'?",
    ),
    (
        "[[consumes]]\ntype = 't'\nat = 'x'\n[consumes.facts]\nrecord = 5",
        "record",
        "NMT103",
        "consumes.0.facts.record",
        "",
    ),
    (
        "[[prefer]]\nif = { gpu = 1 }\ncost = 1\nwhy = ''",
        "if",
        "NMT102",
        "unknown key 'prefer.0.if.gpu'",
        "did you mean 'gpus'?",
    ),
    ("[steps]", "[steps]", "NMT102", "unknown key 'steps'", "did you mean 'step'?"),
    ("[parallelism]\nrules = 'fsdp3'", "rules", "NMT103", "parallelism.rules", ""),
]


@pytest.mark.parametrize(("more", "at", "code", "summary", "fix"), MISTAKES)
def test_a_mistake_is_reported_at_its_key(
    tmp_path: Path, more: str, at: str, code: str, summary: str, fix: str
) -> None:
    file = manifest(tmp_path, more)
    found = failure(lambda: read_toml(file, Manifest))
    assert (found.code, stands(found.where)) == (code, position(file, at))
    assert summary in found.summary
    assert found.fix.startswith(fix)


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    file = manifest(tmp_path, "[extra]\n[[models]]\n", STEP.replace("version = 1", "version = 0"))
    assert sorted(d.code for d in failures(lambda: read_toml(file, Manifest))) == [
        "NMT102",
        "NMT103",
        "NMT103",
    ]


def test_a_rule_over_a_whole_table_names_the_file(tmp_path: Path) -> None:
    port = "[[produces]]\ntype = 't'\nat = 'x'\n"
    file = manifest(tmp_path, port * 2)
    found = failure(lambda: read_toml(file, Manifest))
    assert (found.code, found.where.file if found.where else "") == ("NMT103", str(file))
    assert found.summary == "step.toml: [[produces]] names a port twice: t"


def test_keys_of_a_table_of_tables_are_known(tmp_path: Path) -> None:
    file = write(tmp_path / "types.toml", "[types.one]\ndescription = ''\nisa = 'two'\n")
    found = failure(lambda: read_toml(file, TypesFile))
    assert (found.code, found.fix, stands(found.where)) == (
        "NMT102",
        "did you mean 'is_a'?",
        position(file, "isa"),
    )


@pytest.mark.parametrize(
    ("content", "line", "summary"),
    [(b"a = 1\nb = \n", 2, "f.toml is not TOML"), (b"a = 1\nb = 'caf\xe9'\n", 2, "f.toml is not UTF-8 text")],
)
def test_what_is_not_toml_is_reported_where(tmp_path: Path, content: bytes, line: int, summary: str) -> None:
    file = tmp_path / "f.toml"
    file.write_bytes(content)
    found = failure(lambda: read_toml(file, TypesFile))
    assert (found.code, found.where.line if found.where else 0) == ("NMT101", line)
    assert found.summary.startswith(summary)


def test_what_cannot_be_read_is_reported(tmp_path: Path) -> None:
    found = failure(lambda: read_toml(tmp_path, TypesFile))
    assert (found.code, found.where.file if found.where else "") == ("NMT101", str(tmp_path))
