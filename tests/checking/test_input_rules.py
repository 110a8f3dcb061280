"""Are the inputs there, and can they be read?"""

from __future__ import annotations

from pathlib import Path

import pytest
from small import SmallCatalog, chat, checkpoint, codes, jsonl, position, stands, the, write

from nemotron.checking.input_rules import (
    checkpoints_parse,
    parameter_paths_exist,
    paths_exist,
    records_are_usable,
)
from nemotron.diagnostic import Diagnostic, Severity

PORTS = """
    [[consumes]]
    name = "chat"
    type = "chat_jsonl"
    at = "data.path"
    many = true
    required = false
    description = "Conversations."
    [[consumes]]
    name = "raw"
    type = "raw_jsonl"
    at = "raw"
    field_at = "field"
    required = false
    [[consumes]]
    name = "base"
    type = "checkpoint_hf"
    at = "base"
    required = false
"""


@pytest.fixture
def trainer(small: SmallCatalog, project: Path) -> SmallCatalog:
    small.step("train/one", PORTS, default="data: {path: null}\nraw: null\nfield: text\nbase: null\n")
    return small


def found(catalog: SmallCatalog, *overrides: str) -> list[Diagnostic]:
    request = catalog.request("train/one", *overrides)
    return [*paths_exist(request), *records_are_usable(request), *checkpoints_parse(request)]


def test_what_is_there_is_no_problem(trainer: SmallCatalog, project: Path) -> None:
    chat(project / "a.jsonl")
    chat(project / "d" / "b.jsonl")
    jsonl(project / "raw.jsonl", {"text": "x"})
    checkpoint(project / "base")
    assert found(trainer, "data.path=[a.jsonl, d]", "raw=raw.jsonl", "base=base") == []
    assert found(trainer, "data.path=d/*.jsonl", "base=org/name", "raw=s3://bucket/x.jsonl") == []


ABSENT = [
    ("data.path=chta.jsonl", "data.path", "chta.jsonl does not exist", "did you mean 'chat.jsonl'?"),
    (
        "data.path=gone/x.jsonl",
        "data.path",
        "gone/x.jsonl does not exist",
        "give another path: data.path=PATH",
    ),
    ("data.path=chat.jsonl/x", "data.path", "chat.jsonl/x does not exist", "give another path"),
    ("data.path=d-*.jsonl", "data.path", "d-*.jsonl matches no file", "give another path"),
    (
        "data.path=[chat.jsonl, {path: b}]",
        "data.path",
        "b does not exist",
        "give another path: data.path.1.path=PATH",
    ),
    ("base=./" + "x" * 300, "base", "./" + "x" * 300 + " does not exist", "give another path: base=PATH"),
    ("data.path=~nobody-here/x", "data.path", "~nobody-here/x does not exist", "give another path"),
]


@pytest.mark.parametrize(("argument", "key", "summary", "fix"), ABSENT)
def test_a_path_that_is_not_there_is_an_error_at_its_key(
    trainer: SmallCatalog, project: Path, argument: str, key: str, summary: str, fix: str
) -> None:
    chat(project / "chat.jsonl")
    problem = the(found(trainer, argument), "NMT213")
    assert (problem.severity, problem.summary) == (Severity.ERROR, summary)
    assert problem.where is not None
    assert problem.where.argument == argument
    assert problem.fix.startswith(fix)
    assert problem.detail.startswith(f"'{key}")


def test_a_path_of_a_config_file_is_reported_in_the_file(trainer: SmallCatalog, project: Path) -> None:
    file = write(project / "c.yaml", "data:\n  path: gone.jsonl\n")
    problem = the(paths_exist(trainer.request("train/one", config=str(file))), "NMT213")
    assert stands(problem.where) == position(file, "path")
    assert problem.detail == "'data.path' takes chat_jsonl: Conversations."


def test_a_link_to_nothing_is_not_there(trainer: SmallCatalog, project: Path) -> None:
    (project / "link.jsonl").symlink_to(project / "gone.jsonl")
    assert codes(found(trainer, "data.path=link.jsonl")) == ["NMT213"]


@pytest.mark.parametrize(
    ("name", "summary"), [("empty.jsonl", "empty.jsonl is empty"), ("folder", "the folder folder is empty")]
)
def test_what_is_empty_is_an_error(trainer: SmallCatalog, project: Path, name: str, summary: str) -> None:
    write(project / "empty.jsonl", "\n  \n")
    (project / "folder").mkdir()
    problem = the(found(trainer, f"data.path={name}"), "NMT214")
    assert (problem.severity, problem.summary) == (Severity.ERROR, summary)
    assert problem.where is not None
    assert problem.where.argument == f"data.path={name}"
    assert problem.fix == "give another path: data.path=PATH"


def test_a_file_that_cannot_be_read_is_an_error(trainer: SmallCatalog, project: Path) -> None:
    (project / "odd.jsonl").symlink_to("/proc/self/mem")
    problem = the(found(trainer, "data.path=odd.jsonl"), "NMT243")
    assert problem.summary.startswith("odd.jsonl cannot be read: ")
    assert problem.where is not None
    assert problem.where.argument == "data.path=odd.jsonl"
    assert problem.fix == "give another path: data.path=PATH"


def test_a_line_that_is_no_record_is_an_error_in_the_data(trainer: SmallCatalog, project: Path) -> None:
    file = jsonl(project / "chat.jsonl", {"messages": [{"role": "user"}]}, '{"messages": [}', {"text": "x"})
    problems = found(trainer, "data.path=chat.jsonl")
    assert codes(problems) == ["NMT215", "NMT215"]
    assert [stands(d.where) for d in problems] == [(str(file), 2, 15), (str(file), 3, 1)]
    assert problems[0].summary == "line 2 is not JSON (Expecting value)"
    assert problems[1].summary == "line 3 has no 'messages' or 'conversations' (it has 'text')"
    assert {d.fix for d in problems} == {"correct or remove that line"}
    assert [r.place.argument for d in problems for r in d.related] == ["data.path=chat.jsonl"] * 2


def test_every_file_that_a_wildcard_matches_is_read(trainer: SmallCatalog, project: Path) -> None:
    for name in ("a", "b"):
        jsonl(project / f"{name}.jsonl", "bad")
    assert codes(found(trainer, "data.path=*.jsonl")) == ["NMT215", "NMT215"]


@pytest.mark.parametrize(
    ("field", "wanted"),
    [
        ("field=text", []),
        ("field=body", ["line 1 has no 'body' (it has 'text')"]),
        ("field=???", []),
        ("field=null", []),
    ],
)
def test_the_field_to_read_is_the_one_that_a_record_must_have(
    trainer: SmallCatalog, project: Path, field: str, wanted: list[str]
) -> None:
    jsonl(project / "raw.jsonl", {"text": "x"})
    assert [d.summary for d in found(trainer, "raw=raw.jsonl", field)] == wanted


@pytest.mark.parametrize("name", ["data.txt", "data.parquet", "data.jsonl.gz"])
def test_other_formats_are_left_to_the_job(trainer: SmallCatalog, project: Path, name: str) -> None:
    write(project / name, "not jsonl")
    assert found(trainer, f"data.path={name}") == []


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
def test_a_torn_file_of_a_checkpoint_is_an_error_in_that_file(
    trainer: SmallCatalog, project: Path, name: str
) -> None:
    file = write(checkpoint(project / "base") / name, '{"a": 1,\n "b": ')
    problem = the(found(trainer, "base=base"), "NMT216")
    assert (problem.severity, stands(problem.where)[:2]) == (Severity.ERROR, (str(file), 2))
    assert problem.summary == f"{name} is not JSON (Expecting value)"
    assert problem.fix == "copy or download the checkpoint again"
    assert [r.place.argument for r in problem.related] == ["base=base"]


PATHS = """
    [[parameters]]
    key = "tasks"
    type = "path"
    description = "Folders of tasks."
    [[parameters]]
    key = "tokenizer"
    type = "path"
    description = "A tokenizer."
    [[produces]]
    type = "scores"
    at = "output"
    [[parameters]]
    key = "output"
    type = "path"
    description = "Where scores go."
"""


def test_the_paths_of_parameters_exist(small: SmallCatalog, project: Path) -> None:
    small.step("eval/one", PATHS, default="tasks: null\ntokenizer: null\noutput: null\n")
    (project / "here").mkdir()
    fine = ["tasks=[here]", "tokenizer=org/name", "output=not/made/yet"]
    assert list(parameter_paths_exist(small.request("eval/one", *fine))) == []
    file = write(project / "own.yaml", "tasks:\n  - here\n  - ./hear\ntokenizer: null\noutput: null\n")
    problem = the(parameter_paths_exist(small.request("eval/one", config=str(file))), "NMT213")
    assert problem.fix == "did you mean 'here'?"
    assert stands(problem.where) == position(file, "tasks")
    assert the(parameter_paths_exist(small.request("eval/one", "tokenizer=./t")), "NMT213").detail
