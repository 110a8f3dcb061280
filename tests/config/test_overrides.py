"""`key=value` and `~key`: what an argument sets, and what is wrong with one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import failure, failures

from nemotron.config.overrides import apply_overrides, parse_overrides
from nemotron.config.yaml_places import parse_scalar, parse_yaml
from nemotron.diagnostic import Place

BASE = "a: [1, 2]\nt: {x: 1, '0': z}\ns: 5\n"


def applied(*arguments: str) -> dict[str, Any]:
    document = parse_yaml(BASE, "f")
    apply_overrides(document, parse_overrides(list(arguments)))
    return document.tree


SETS = [
    ("s=1e-5", {"s": 1e-5}),
    ("s=no", {"s": "no"}),
    ("s=null", {"s": None}),
    ("s=", {"s": ""}),
    ("s=???", {"s": "???"}),
    ("s=a=b", {"s": "a=b"}),
    ("s='1e-5'", {"s": "1e-5"}),
    ('s="a b"', {"s": "a b"}),
    ("s=&x", {"s": "&x"}),
    ("s=a: b", {"s": "a: b"}),
    ("s=[1, no, {x: 1e3}]", {"s": [1, "no", {"x": 1000.0}]}),
    ("s={x: 1}", {"s": {"x": 1}}),
    ("s={{ x }}: {y", {"s": "{{ x }}: {y"}),
    ("s={% for m in messages %}", {"s": "{% for m in messages %}"}),
    ("s.new.deep=1", {"s": {"new": {"deep": 1}}}),
    ("new.deep=1", {"new": {"deep": 1}}),
    ("a=[3]", {"a": [3]}),
    ("a.1=3", {"a": [1, 3]}),
    ("t.x=2", {"t": {"x": 2, "0": "z"}}),
    ("t.0=y", {"t": {"x": 1, "0": "y"}}),
    ("~t.0", {"t": {"x": 1}}),
    ("t.my-key_2=1", {"t": {"x": 1, "0": "z", "my-key_2": 1}}),
]


@pytest.mark.parametrize(("argument", "changed"), SETS)
def test_an_argument_changes_one_key(argument: str, changed: dict[str, Any]) -> None:
    assert applied(argument) == {**parse_yaml(BASE, "f").tree, **changed}


def test_arguments_apply_in_order() -> None:
    assert applied("s=1", "s=2", "~t", "t.y=3") == {"a": [1, 2], "s": 2, "t": {"y": 3}}


def test_a_list_stays_as_it_was_given() -> None:
    overrides = parse_overrides(["a=[1]"])
    document = parse_yaml(BASE, "f")
    apply_overrides(document, overrides)
    document.tree["a"].append(2)
    assert overrides[0].value == [1]


@given(st.text(st.characters(blacklist_categories=["Cs"]), min_size=1).filter(lambda t: t[0] not in "[{\"'"))
def test_a_plain_value_is_a_scalar_of_the_core_schema(text: str) -> None:
    assert repr(parse_overrides([f"key={text}"])[0].value) == repr(parse_scalar(text))


def test_the_place_of_a_value_is_its_argument() -> None:
    document = parse_yaml(BASE, "f")
    apply_overrides(document, parse_overrides(["t.x={y: 2}"]))
    assert document.place("t.x.y") == Place(argument="t.x={y: 2}", column=1, length=10)


MALFORMED = [
    ("word", "'word' is neither key=value nor ~key", "write word=VALUE"),
    ("=3", "'=3' is neither", "a key is words joined by dots, as in model.name=VALUE"),
    ("a b=3", "'a b=3' is neither", "a key is words"),
    ("a..b=3", "'a..b=3' is neither", "a key is words"),
    ("a\n=3", "is neither", "a key is words"),
    ("~a=3", "'~a=3' is neither", "a key is words"),
    ("a=[1", "the value of 'a' cannot be read: not YAML", "quote it: a='\"…\"'"),
    ("a='x'\nb: 1", "the value of 'a' is more than one", "one argument for each key"),
    ("a=[!x 1]", "the value of 'a' cannot be read: the tag !x", "quote it"),
    ("a=" + "1" * 5000, "the value of 'a' cannot be read", ""),
    ("a=[\x01]", "the value of 'a' cannot be read", "quote it"),
]


@pytest.mark.parametrize(("argument", "summary", "fix"), MALFORMED)
def test_a_malformed_argument_is_reported(argument: str, summary: str, fix: str) -> None:
    found = failure(lambda: parse_overrides([argument]))
    assert (found.code, found.where) == ("NMT205", Place(argument=argument, column=1, length=len(argument)))
    assert summary in found.summary
    assert found.fix.startswith(fix)


def test_all_malformed_arguments_are_reported_at_once() -> None:
    found = failures(lambda: parse_overrides(["x", "a=1", "y"]))
    assert [d.where.argument for d in found if d.where] == ["x", "y"]


NOT_THERE = [
    ("~nothing", "there is no key 'nothing' to delete", ""),
    ("~t.xx", "there is no key 't.xx' to delete", "did you mean 't.x'?"),
    ("~s.other", "there is no key 's.other' to delete", ""),
    ("~a.0", "there is no key 'a.0' to delete", "give the whole list: a=[…]"),
    ("a.2=1", "'a.2' cannot be set: a list of 2 has no entry '2'", "give the whole list: a=[…]"),
    ("a.x.y=1", "'a.x.y' cannot be set: a list of 2 has no entry 'x'", "give the whole list: a=[…]"),
]


@pytest.mark.parametrize(("argument", "summary", "fix"), NOT_THERE)
def test_an_argument_that_names_what_is_not_there_is_reported(argument: str, summary: str, fix: str) -> None:
    found = failure(lambda: applied(argument))
    assert (found.code, found.summary, found.fix) == ("NMT202", summary, fix)
    assert found.where is not None
    assert found.where.argument == argument


def test_all_that_is_not_there_is_reported_at_once() -> None:
    assert len(failures(lambda: applied("~x", "s=1", "~y"))) == 2
