"""A step bound to its inputs: what each port has, whose paths are absolute, which facts are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small import SmallCatalog, chat, checkpoint, record, write

from nemotron.artifacts.digest import content_digest
from nemotron.artifacts.facts import facts_on_disk
from nemotron.planning.request import StepRequest, is_local_path

TRAINER = """
    [[consumes]]
    name = "data"
    type = "chat_jsonl"
    at = "dataset.path"
    many = true

    [[consumes]]
    name = "base"
    type = "checkpoint_hf"
    at = "model.name"
    required = false
    facts = { tokenizer = ["fact.one", "fact.two"], chat_template = { unless = "fact.three" } }

    [[consumes]]
    name = "judge"
    type = "endpoint"
    at = "judge"
    required = false

    [[produces]]
    type = "checkpoint_hf"
    at = "out.folder"
    facts = { chat_template = "fact.four", dtype = "words" }

    [[produces]]
    type = "scores"
    at = "out.scores"

    [[parameters]]
    key = "template"
    type = "path"
    description = "A file."

    [[parameters]]
    key = "words"
    type = "string"
    description = "Not a path."
"""


@pytest.fixture
def trainer(small: SmallCatalog, project: Path) -> SmallCatalog:
    small.step("train/one", TRAINER, default="dataset: {path: null}\nmodel: {name: null}\n")
    return small


def bound(request: StepRequest, port: str) -> list[tuple[str, str, str | None]]:
    """Key, path below the working directory, name on a hub: of each source of a port."""
    found = request.input(port)
    assert found is not None
    here = Path.cwd()
    return [
        (
            ".".join(str(part) for part in s.key),
            str(s.path.relative_to(here)) if s.path and s.path.is_relative_to(here) else str(s.path or ""),
            s.hub,
        )
        for s in found.sources
    ]


SOURCES: list[tuple[str, str, list[tuple[str, str, str | None]]]] = [
    ("dataset.path=chat.jsonl", "data", [("dataset.path", "chat.jsonl", None)]),
    ("dataset.path=./sub/../chat.jsonl", "data", [("dataset.path", "sub/../chat.jsonl", None)]),
    ("dataset.path=/abs/chat.jsonl", "data", [("dataset.path", "/abs/chat.jsonl", None)]),
    (
        "dataset.path=[a.jsonl, {path: b.jsonl, weight: 2}]",
        "data",
        [("dataset.path.0", "a.jsonl", None), ("dataset.path.1.path", "b.jsonl", None)],
    ),
    ("dataset.path={path: a.jsonl}", "data", [("dataset.path.path", "a.jsonl", None)]),
    ("dataset.path=org/chat", "data", [("dataset.path", "", "org/chat")]),
    ("dataset.path=s3://bucket/x", "data", [("dataset.path", "", "s3://bucket/x")]),
    ("model.name=org/base", "base", [("model.name", "", "org/base")]),
    ("model.name=models/base", "base", [("model.name", "models/base", None)]),
    ("judge=http://localhost:1/v1", "judge", [("judge", "", None)]),
]


@pytest.mark.parametrize(("argument", "port", "sources"), SOURCES)
def test_a_port_is_bound_to_what_its_key_names(
    trainer: SmallCatalog, project: Path, argument: str, port: str, sources: list[Any]
) -> None:
    (project / "models").mkdir()
    assert bound(trainer.request("train/one", argument), port) == sources


@pytest.mark.parametrize("value", ["null", "???", "", "[]", "5", "{weight: 1}"])
def test_a_port_without_a_path_is_not_bound(trainer: SmallCatalog, value: str) -> None:
    assert trainer.request("train/one", f"dataset.path={value}").inputs == []


def test_paths_in_the_config_become_absolute(trainer: SmallCatalog, project: Path) -> None:
    arguments = ["dataset.path=[a.jsonl, {path: b.jsonl, weight: 2}]", "template=t.jinja", "words=w.txt"]
    request = trainer.request(
        "train/one", *arguments, "model.name=m", "out.folder=o", "out.scores=output/scores"
    )
    assert request.config.tree == {
        "dataset": {"path": [f"{project}/a.jsonl", {"path": f"{project}/b.jsonl", "weight": 2}]},
        "model": {"name": f"{project}/m"},
        "template": f"{project}/t.jinja",
        "words": "w.txt",
        "out": {"folder": f"{project}/o", "scores": f"{project}/output/scores"},
    }
    assert request.named_outputs() == {
        "out.folder": project / "o",
        "out.scores": project / "output" / "scores",
    }
    assert [o.value for o in request.overrides][:1] == [["a.jsonl", {"path": "b.jsonl", "weight": 2}]]


def test_what_states_a_fact_becomes_absolute_where_it_is_a_path(trainer: SmallCatalog, project: Path) -> None:
    write(project / "tok" / "tokenizer.json", "{}")
    write(project / "t.jinja", "{{ m }}")
    arguments = ["fact.one=tok", "fact.two=org/name", "fact.three=" + "{{ m }}" * 900, "words=tok"]
    tree = trainer.request("train/one", *arguments, "fact.four=t.jinja").config.tree
    assert tree["fact"] == {
        "one": f"{project}/tok",
        "two": "org/name",
        "three": "{{ m }}" * 900,
        "four": f"{project}/t.jinja",
    }
    assert tree["words"] == "tok"


@pytest.mark.parametrize("value", ["null", "", "???"])
def test_an_output_that_is_not_named_is_left_to_the_runner(trainer: SmallCatalog, value: str) -> None:
    assert trainer.request("train/one", f"out.folder={value}").named_outputs() == {}


@pytest.mark.parametrize("user", ["", "no-such-user"])
def test_a_home_folder_is_filled_in_where_there_is_one(
    trainer: SmallCatalog, monkeypatch: pytest.MonkeyPatch, project: Path, user: str
) -> None:
    monkeypatch.setenv("HOME", str(project / "home"))
    request = trainer.request("train/one", f"dataset.path=~{user}/chat.jsonl")
    expected = project / "home" if not user else project / f"~{user}"
    assert request.config.document.get("dataset.path") == str(expected / "chat.jsonl")


def test_a_wildcard_is_what_it_matches(trainer: SmallCatalog, project: Path) -> None:
    first, second = chat(project / "d" / "a.jsonl"), chat(project / "d" / "b.jsonl")
    request = trainer.request("train/one", "dataset.path=d/*.jsonl")
    (source,) = request.inputs[0].sources
    assert source.files == [first, second]
    assert source.digest() == f"{content_digest(first)} {content_digest(second)}"
    odd = chat(project / "d" / "[x].jsonl")
    assert trainer.request("train/one", "dataset.path=d/[x].jsonl").inputs[0].sources[0].files == [odd]


@pytest.mark.parametrize("value", ["absent.jsonl", "x" * 5000, "a/b/" + "c" * 400, "none-*.jsonl"])
def test_what_is_not_there_has_no_files_and_no_facts(trainer: SmallCatalog, value: str) -> None:
    (source,) = trainer.request("train/one", f"dataset.path={value}").inputs[0].sources
    assert (source.files, source.facts(), source.record(), source.exists) == ([], {}, None, False)
    assert source.digest() == value


def test_a_name_on_a_hub_stands_for_its_model_and_tokenizer(trainer: SmallCatalog) -> None:
    base = trainer.request("train/one", "model.name=org/base").input("base")
    assert base is not None
    assert {name: base.fact(name) for name in ("model", "tokenizer", "max_positions")} == {
        "model": "hub:org/base@main",
        "tokenizer": "hub:org/base@main",
        "max_positions": None,
    }
    assert base.sources[0].digest() == "hub:org/base@main"


def test_a_fact_is_what_the_sources_agree_on(trainer: SmallCatalog, project: Path) -> None:
    for name, language in (("a", "en"), ("b", "en"), ("c", "de")):
        record(chat(project / f"{name}.jsonl"), "chat_jsonl", record="messages", language=language)
    chat(project / "d.jsonl")

    def fact(*names: str) -> Any:
        files = ", ".join(f"{name}.jsonl" for name in names)
        data = trainer.request("train/one", f"dataset.path=[{files}]").input("data")
        assert data is not None
        return data.fact("language")

    assert [fact("a", "b"), fact("a", "c"), fact("a", "d"), fact("d")] == ["en", None, "en", None]


def test_a_folder_with_a_record_is_known_by_it(trainer: SmallCatalog, project: Path) -> None:
    folder = checkpoint(project / "m")
    record(folder, "checkpoint_hf", max_positions=9)
    (source,) = trainer.request("train/one", "model.name=m").inputs[0].sources
    assert source.facts() == facts_on_disk(folder)
    assert source.facts()["max_positions"] == 9
    made = source.record()
    assert made is not None
    assert source.digest() == made.digest


def test_of_a_group_only_the_given_port_is_asked_for(small: SmallCatalog, project: Path) -> None:
    ports = """
        [[consumes]]
        type = "checkpoint_hf"
        at = "model"
        one_of = "what"
        [[consumes]]
        type = "endpoint"
        at = "endpoint.url"
        one_of = "what"
    """
    small.step("eval/one", ports, default="model: ???\nendpoint:\n  url: ???\n")
    given = small.request("eval/one", "model=org/m")
    assert given.config.tree == {"model": "org/m", "endpoint": {"url": None}}
    neither = small.request("eval/one")
    assert neither.config.tree == {"model": "???", "endpoint": {"url": "???"}}
    both = small.request("eval/one", "model=org/m", "endpoint.url=http://x/v1")
    assert [b.port.name for b in both.inputs] == ["checkpoint_hf", "endpoint"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a.jsonl", True),
        ("a/b/c", True),
        ("org/name", False),
        ("http://x", False),
        ("", False),
        ("???", False),
        (5, False),
    ],
)
def test_a_local_path_is_no_name_on_a_hub_and_no_address(project: Path, value: Any, expected: bool) -> None:
    assert is_local_path(value) is expected


def test_a_file_in_place_of_a_folder_is_bound_as_it_is(trainer: SmallCatalog, project: Path) -> None:
    write(project / "file.jsonl", "{}")
    (source,) = trainer.request("train/one", "dataset.path=file.jsonl/inside").inputs[0].sources
    assert source.files == []


CONVERTER = """
    [[libraries]]
    name = "other"
    when = { format = ["new", "newer"], fast = [true] }

    [[consumes]]
    name = "run"
    type = "checkpoint_hf"
    at = "run_path"
    newest_if = "iteration"
"""


@pytest.fixture
def converter(small: SmallCatalog, project: Path) -> SmallCatalog:
    default = "run_path: null\niteration: null\nformat: old\nfast: true\n"
    small.step("convert/one", CONVERTER, head='library = "usual"', default=default)
    for number in (10, 20, 30):
        write(project / "run" / f"iter_{number:07d}" / ".metadata", "")
    write(project / "run" / "latest_checkpointed_iteration.txt", "20")
    return small


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["iteration=latest"], "run/iter_0000020"),
        ([], "run"),
        (["iteration=last"], "run"),
        (["iteration=latest", "run_path=run/iter_0000010"], "run/iter_0000010"),
        (["iteration=latest", "run_path=nowhere"], "nowhere"),
    ],
)
def test_a_run_stands_for_its_newest_whole_checkpoint_where_that_is_asked_for(
    converter: SmallCatalog, project: Path, arguments: list[str], found: str
) -> None:
    request = converter.request("convert/one", "run_path=run", *arguments)
    (source,) = request.inputs[0].sources
    assert source.path == project / found
    assert request.config.document.get("run_path") == str(project / found)


@pytest.mark.parametrize(
    ("arguments", "library"),
    [
        ([], "usual"),
        (["format=new"], "other"),
        (["format=newer"], "other"),
        (["format=newest"], "usual"),
        (["format=new", "fast=false"], "usual"),
    ],
)
def test_some_configs_run_under_another_library(
    converter: SmallCatalog, arguments: list[str], library: str
) -> None:
    assert converter.request("convert/one", *arguments).library == library
