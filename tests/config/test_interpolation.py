"""`${…}`: what is filled in, what stays for the job, what cannot be resolved."""

from __future__ import annotations

from typing import Any

import pytest
from small import stands

from nemotron.config.interpolation import interpolate
from nemotron.config.yaml_places import parse_yaml
from nemotron.diagnostic import Diagnostic

TOKEN = "hf_" + "Ab3" * 10


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PLAIN": "text", "NUMBER": "7", "HF_TOKEN": TOKEN, "MY_API_KEY": TOKEN}.items():
        monkeypatch.setenv(name, value)
    for name in ("ABSENT", "ABSENT_KEY"):
        monkeypatch.delenv(name, raising=False)


def interpolated(text: str) -> tuple[dict[str, Any], list[Diagnostic]]:
    document = parse_yaml(text, "f.yaml")
    problems, _ = interpolate(document)
    return document.tree, problems


RESOLVED = [
    ("a: ${oc.env:PLAIN}", "text"),
    ("a: x/${oc.env:PLAIN}/y", "x/text/y"),
    ("a: ${oc.env:NUMBER}", "7"),
    ("a: ${oc.env:ABSENT,5}", "5"),
    ("a: ${oc.env:ABSENT,null}", None),
    ("a: ${oc.env:ABSENT,${oc.env:PLAIN}}", "text"),
    ("a: ${b}\nb: ${c}\nc: 1", 1),
    ("a: ${b}\nb: {x: [1, '${c}']}\nc: 2", {"x": [1, 2]}),
    ("a: {x: 1, y: '${.x}'}", {"x": 1, "y": 1}),
    ("a: [1, '${a.0}']", [1, 1]),
    ("a: [{x: '${oc.env:PLAIN}'}]", [{"x": "text"}]),
    ("a: {'x]y': '${oc.env:PLAIN}'}", {"x]y": "text"}),
    ("a: {'0': '${oc.env:PLAIN}', 'b.c': 1}", {"0": "text", "b.c": 1}),
    ("a: '\\${literal}'", "${literal}"),
    ("a: no dollars", "no dollars"),
]


@pytest.mark.parametrize(("text", "value"), RESOLVED)
def test_a_reference_is_filled_in(text: str, value: Any) -> None:
    tree, problems = interpolated(text)
    assert (tree["a"], problems) == (value, [])


SECRETS = [
    ("a: ${oc.env:HF_TOKEN}", "${oc.env:HF_TOKEN}"),
    ("a: Bearer ${oc.env:MY_API_KEY}", "Bearer ${oc.env:MY_API_KEY}"),
    ("a: ${oc.env:HF_TOKEN,default}", "${oc.env:HF_TOKEN}"),
    ("a: ${oc.env:HF_TOKEN,${oc.env:PLAIN}}", "${oc.env:HF_TOKEN}"),
    ('a: ${oc.env:"HF_TOKEN"}', "${oc.env:HF_TOKEN}"),
    ("a: '${oc.env: HF_TOKEN }'", "${oc.env:HF_TOKEN}"),
    ("a: ${oc.env:${b}}\nb: HF_TOKEN", "${oc.env:HF_TOKEN}"),
    ("a: ${b}\nb: ${oc.env:HF_TOKEN}", "${oc.env:HF_TOKEN}"),
    ("a: ${b}\nb: {x: '${oc.env:HF_TOKEN}'}", {"x": "${oc.env:HF_TOKEN}"}),
    ("a: ${oc.env:ABSENT_KEY}", "${oc.env:ABSENT_KEY}"),
    ("a: ${oc.env:ABSENT_KEY,default}", "default"),
]


@pytest.mark.parametrize(("text", "value"), SECRETS)
def test_a_secret_stays_a_reference_however_it_is_written(text: str, value: Any) -> None:
    tree, problems = interpolated(text)
    assert (tree["a"], problems) == (value, [])
    assert TOKEN not in repr(tree)


@pytest.mark.parametrize("text", ["a: '???'\nb: ${a}", "a: '???'\nb: x/${a}"])
def test_what_refers_to_a_missing_value_is_missing_too(text: str) -> None:
    document = parse_yaml(text, "f.yaml")
    assert interpolate(document) == ([], {("b",)})
    assert document.tree == {"a": "???", "b": "???"}


UNRESOLVED = [
    ("a: 1\nb: ${nowhere}", "NMT206", "'b' cannot be resolved: Interpolation key 'nowhere' not found", ""),
    (
        "a: 1\nb: ${oc.env:ABSENT}",
        "NMT206",
        "'b' cannot be resolved",
        "export ABSENT=…, or write ${oc.env:ABSENT,",
    ),
    ("a: 1\nb: ${b}", "NMT206", "'b' cannot be resolved: Recursive interpolation", ""),
    ("a: 1\nb: ${unknown:x}", "NMT206", "'b' cannot be resolved: Unsupported interpolation type unknown", ""),
    ("a: 1\nb: ${", "NMT206", "'b' cannot be resolved", ""),
    ("a: 1\nb: ${oc.decode:${oc.env:HF_TOKEN}}", "NMT206", "'b' cannot be resolved", ""),
    ("a: 1\nb: ${art:train.path}", "NMT207", "'b' refers to an artifact", "bind the input instead: b=PATH"),
]


@pytest.mark.parametrize(("text", "code", "summary", "fix"), UNRESOLVED)
def test_what_cannot_be_resolved_is_reported_at_its_key(text: str, code: str, summary: str, fix: str) -> None:
    tree, problems = interpolated(text)
    assert len(problems) == 1
    found = problems[0]
    assert (found.code, stands(found.where)) == (code, ("f.yaml", 2, 1))
    assert found.summary.startswith(summary)
    assert found.fix.startswith(fix)
    assert TOKEN not in repr(found)
    assert "\x00" not in found.summary
    assert tree["a"] == 1


def test_one_that_cannot_be_resolved_does_not_hide_the_others() -> None:
    tree, problems = interpolated("a: ${\nb: ${nowhere}\nc: ${oc.env:PLAIN}\nd: ${art:x}\n")
    assert sorted(d.code for d in problems) == ["NMT206", "NMT206", "NMT207"]
    assert tree["c"] == "text"
