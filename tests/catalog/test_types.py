"""Artifact types: what is accepted where, what is inherited, what is wrong with a hierarchy."""

from __future__ import annotations

from pathlib import Path

import pytest
from small import TYPES, failures, position, stands, write

from nemotron.catalog.catalog import Catalog
from nemotron.catalog.types import Types


def types(tmp_path: Path, text: str = TYPES) -> Types:
    write(tmp_path / "types.toml", text)
    return Catalog([tmp_path]).types


ACCEPTED = [
    ("raw_jsonl", "raw_jsonl", True),
    ("raw_jsonl", "chat_jsonl", True),
    ("raw_jsonl", "grandchild", True),
    ("chat_jsonl", "raw_jsonl", False),
    ("packs", "chat_jsonl", False),
]


@pytest.mark.parametrize(("wanted", "offered", "accepted"), ACCEPTED)
def test_a_type_goes_where_an_ancestor_is_wanted(
    tmp_path: Path, wanted: str, offered: str, accepted: bool
) -> None:
    grandchild = '\n[types.grandchild]\ndescription = ""\nis_a = "chat_jsonl"\n'
    write(tmp_path / "more" / "types.toml", grandchild)
    write(tmp_path / "types.toml", TYPES)
    assert Catalog([tmp_path, tmp_path / "more"]).types.accepts(wanted, offered) is accepted


def test_facts_are_inherited_and_record_keys_unless_given(tmp_path: Path) -> None:
    more = '[types.translated]\ndescription = ""\nis_a = "chat_jsonl"\nfacts = ["tokenizer"]\n'
    write(tmp_path / "types.toml", TYPES)
    write(tmp_path / "more" / "types.toml", more)
    found = Catalog([tmp_path, tmp_path / "more"]).types
    assert found.facts_of("translated") == {"record", "tokenizer"}
    assert found.record_keys("translated") == ("messages", "conversations")
    assert found.record_keys("packs") == ()
    assert list(found.ancestors("translated")) == ["translated", "chat_jsonl", "raw_jsonl"]


def test_a_type_may_stand_for_others_under_conditions(tmp_path: Path) -> None:
    also = 'also = { packs = { record = "messages" } }\n'
    more = f'[types.clean]\ndescription = ""\n{also}[types.cleaner]\ndescription = ""\nis_a = "clean"\n'
    write(tmp_path / "types.toml", TYPES)
    write(tmp_path / "more" / "types.toml", more)
    found = Catalog([tmp_path, tmp_path / "more"]).types
    for name in ("clean", "cleaner"):
        assert found.accepts("packs", name)
        assert found.conditions(name) == {"packs": {"record": "messages"}}
    assert list(found.ancestors("cleaner")) == ["cleaner", "clean"]
    assert not found.accepts("clean", "packs")


def test_an_unknown_type_is_reported_with_the_nearest(tmp_path: Path) -> None:
    known = types(tmp_path)
    assert known.require("packs").description == "Packed sequences."
    for name, fix in (
        ("packz", "did you mean 'packs'?"),
        ("zzz", "the types are: chat_jsonl, checkpoint_hf"),
    ):
        (found,) = failures(lambda name=name: known.require(name))  # type: ignore[misc]
        assert (found.code, found.summary) == ("NMT105", f"there is no artifact type '{name}'")
        assert found.fix.startswith(fix)


def one(name: str, *lines: str) -> str:
    return "\n".join([f"[types.{name}]", 'description = ""', *lines, ""])


WRONG = [
    (
        one("a", 'is_a = "b"') + one("bb"),
        "is_a",
        "NMT105",
        "type 'a' is_a 'b', which does not exist",
        "did you mean 'bb'?",
    ),
    (
        one("a", 'facts = ["tokeniser"]'),
        "facts = ",
        "NMT103",
        "type 'a' names the unknown fact 'tokeniser'",
        "did you mean 'tokenizer'?",
    ),
    (
        one("a", 'where = { record = "text" }'),
        "where",
        "NMT103",
        "type 'a' names the unknown fact 'record'",
        "",
    ),
    (
        one("a", "also = { bb = {} }"),
        "also",
        "NMT105",
        "type 'a' is also 'bb', which does not exist",
        "",
    ),
    (
        one("a", 'also = { b = { record = "text" } }') + one("b"),
        "also",
        "NMT103",
        "type 'a' names the unknown fact 'record'",
        "",
    ),
    (one("a", 'is_a = "a"'), "is_a", "NMT106", "artifact types form a cycle: a is_a a", ""),
    (
        one("c", 'is_a = "a"') + one("d", 'is_a = "c"') + one("a", 'is_a = "d"') + one("e", 'is_a = "a"'),
        'is_a = "d"',
        "NMT106",
        "artifact types form a cycle: a is_a d is_a c is_a a",
        "",
    ),
]
FACT = '[facts.tokenizer]\nkind = "tokenizer"\ndescription = ""\n'


@pytest.mark.parametrize(("text", "at", "code", "summary", "fix"), WRONG)
def test_a_wrong_hierarchy_is_reported_at_its_type(
    tmp_path: Path, text: str, at: str, code: str, summary: str, fix: str
) -> None:
    (found,) = failures(lambda: types(tmp_path, FACT + text))
    assert (found.code, found.summary, found.fix) == (code, summary, fix)
    assert stands(found.where) == position(tmp_path / "types.toml", at)


def test_all_that_is_wrong_is_reported_at_once(tmp_path: Path) -> None:
    found = failures(
        lambda: types(tmp_path, one("a", 'is_a = "a"') + one("b", 'is_a = "x"', 'facts = ["y"]'))
    )
    assert sorted(d.code for d in found) == ["NMT103", "NMT105", "NMT106"]


def test_a_further_root_uses_the_facts_of_the_first(tmp_path: Path) -> None:
    write(tmp_path / "types.toml", TYPES)
    more = write(
        tmp_path / "more" / "types.toml", one("ours", 'is_a = "packs"', 'facts = ["model", "nonsense"]')
    )
    (found,) = failures(lambda: Catalog([tmp_path, tmp_path / "more"]).types)
    assert (found.code, stands(found.where)) == ("NMT103", position(more, "facts"))
    assert "'nonsense'" in found.summary


def test_a_further_root_adds_types_and_changes_none(tmp_path: Path) -> None:
    write(tmp_path / "types.toml", TYPES)
    write(tmp_path / "more" / "types.toml", one("packs") + one("ours"))
    found = Catalog([tmp_path, tmp_path / "more"]).types
    assert "ours" in found
    assert found["packs"].description == "Packed sequences."
