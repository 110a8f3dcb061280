"""Haves: recognised by looking inside, or by the user's word; from a pipeline file."""

from __future__ import annotations

from pathlib import Path

import pytest
from at_hand import CATALOG
from small import failure, jsonl, record

from nemotron.diagnostic import Severity
from nemotron.planning.have import facts_of, have_from_table, parse_have

TYPES = CATALOG.types


@pytest.mark.usefixtures("at_hand")
@pytest.mark.parametrize(
    ("text", "name", "kind", "why"),
    [
        ("chat.jsonl", "chat", "training_jsonl", "it looks like that"),
        ("web.jsonl", "web", "raw_jsonl", "it looks like that"),
        ("pairs.jsonl", "pairs", "preference_jsonl", "it looks like that"),
        ("base", "base", "checkpoint_hf", "it looks like that"),
        ("adapter", "adapter", "checkpoint_lora", "it looks like that"),
        ("questions.parquet", "questions", "mcq_benchmark_parquet", "it looks like that"),
        ("raw_jsonl=chat.jsonl", "chat", "raw_jsonl", "your word"),
        ("mine:raw_jsonl=chat.jsonl", "mine", "raw_jsonl", "your word"),
    ],
)
def test_what_lies_on_disk_is_recognised(text: str, name: str, kind: str, why: str) -> None:
    have = parse_have(text, TYPES)
    assert (have.name, have.type, have.why) == (name, kind, why)
    assert have.path is not None
    assert have.path.is_absolute()


@pytest.mark.parametrize(
    ("text", "hub", "revision"),
    [
        ("hub:Qwen/Qwen3-8B", "Qwen/Qwen3-8B", None),
        ("Qwen/Qwen3-8B", "Qwen/Qwen3-8B", None),
        ("hub:Qwen/Qwen3-8B@abc", "Qwen/Qwen3-8B", "abc"),
    ],
)
def test_a_name_on_a_hub_is_a_model(project: Path, text: str, hub: str, revision: str | None) -> None:
    have = parse_have(text, TYPES)
    assert not (project / "Qwen").exists()
    assert (have.name, have.type, have.hub, have.revision) == ("qwen3_8b", "checkpoint_hf", hub, revision)
    assert facts_of(have)["tokenizer"] == f"hub:{hub}@{revision or 'main'}"


def test_a_service_has_a_model_and_the_name_of_a_variable() -> None:
    have = parse_have("endpoint:https://host/v1,model=name,api_key_env=KEY", TYPES)
    assert (have.type, have.value, have.model, have.api_key_env) == (
        "endpoint",
        "https://host/v1",
        "name",
        "KEY",
    )
    assert have.values("endpoint.url") == {
        "endpoint.url": "https://host/v1",
        "endpoint.model": "name",
        "endpoint.api_key_env": "KEY",
    }


@pytest.mark.usefixtures("at_hand")
def test_a_path_sets_its_own_key_alone() -> None:
    have = parse_have("base", TYPES)
    assert have.values("model.path") == {"model.path": str(have.path)}


def test_an_unknown_part_of_a_service_is_reported() -> None:
    found = failure(lambda: parse_have("endpoint:https://host/v1,key=secret", TYPES))
    assert (found.code, found.summary) == ("NMT283", "an endpoint has no 'key'")


def test_an_unknown_type_names_the_nearest() -> None:
    found = failure(lambda: parse_have("x:checkpoint_hff=base", TYPES))
    assert (found.code, found.fix) == ("NMT105", "did you mean 'checkpoint_hf'?")


def test_a_path_that_is_not_there_is_reported(project: Path) -> None:
    assert not (project / "chat.jsonl").exists()
    assert failure(lambda: parse_have("training_jsonl=chat.jsonl", TYPES)).code == "NMT213"


def test_a_path_may_hold_what_else_separates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    jsonl(tmp_path / "a=b c.jsonl", {"text": "a"})
    have = parse_have("a=b c.jsonl", TYPES)
    assert (have.name, have.type) == ("a_b_c", "raw_jsonl")


def test_what_looks_like_nothing_blocks(tmp_path: Path) -> None:
    found = failure(lambda: parse_have(str(jsonl(tmp_path / "x.jsonl", {"other": 1})), TYPES))
    assert (found.code, found.severity) == ("NMT282", Severity.BLOCKED)
    assert found.summary == "x.jsonl looks like none of the types that are known: say which it is"


def test_what_looks_like_several_types_lists_them(at_hand: Path) -> None:
    (at_hand / "adapter" / "config.json").write_text("{}")
    (at_hand / "adapter" / "model.safetensors").write_bytes(b"weights")
    found = failure(lambda: parse_have("adapter", TYPES))
    assert (found.code, found.severity) == ("NMT282", Severity.BLOCKED)
    assert "checkpoint_hf or checkpoint_lora" in found.summary


@pytest.mark.parametrize("text", ["run", "checkpoint_megatron=run"])
def test_of_a_megatron_run_the_newest_whole_iteration_is_taken(at_hand: Path, text: str) -> None:
    for number, is_whole in ((5, True), (10, True), (15, False)):
        folder = at_hand / "run" / f"iter_{number:07}"
        folder.mkdir(parents=True)
        if is_whole:
            (folder / ".metadata").touch()
    have = parse_have(text, TYPES)
    assert (have.name, have.type) == ("run", "checkpoint_megatron")
    assert have.path == at_hand / "run" / "iter_0000010"
    assert have.why == "its newest complete iteration is iter_0000010"


def test_a_record_says_what_an_artifact_is(at_hand: Path) -> None:
    record(at_hand / "web.jsonl", "filtered_jsonl", language="th")
    have = parse_have("web.jsonl", TYPES)
    assert (have.type, have.why) == ("filtered_jsonl", "a/b made it")
    assert (have.facts["language"], have.facts["record"]) == ("th", "text")


@pytest.mark.usefixtures("at_hand")
def test_facts_of_data_are_read_from_their_records() -> None:
    assert parse_have("chat.jsonl", TYPES).facts["record"] == "messages"
    pairs = parse_have("pairs.jsonl", TYPES).facts
    assert (pairs["record"], pairs["splits"]) == ("preference", "all")


def test_an_entry_of_a_file_counts_from_its_folder(at_hand: Path) -> None:
    have = have_from_table("web", {"type": "raw_jsonl", "path": "web.jsonl"}, TYPES, at_hand)
    assert (have.path, have.facts["record"]) == (at_hand / "web.jsonl", "text")


def test_an_entry_that_is_not_said_yet_has_no_path(tmp_path: Path) -> None:
    assert have_from_table("web", {"type": "raw_jsonl", "path": "???"}, TYPES, tmp_path).value == "???"


def test_what_is_written_for_a_have_is_read_back(at_hand: Path) -> None:
    for text in ("chat.jsonl", "base", "hub:org/name@abc", "endpoint:https://host/v1,model=m"):
        have = parse_have(text, TYPES)
        back = have_from_table(have.name, have.as_table(at_hand), TYPES, at_hand)
        assert (back.type, back.value, facts_of(back)) == (have.type, have.value, facts_of(have))
        assert (back.revision, back.model) == (have.revision, have.model)
