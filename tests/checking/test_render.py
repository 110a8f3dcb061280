"""Diagnostics for people and for programs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import write

from nemotron.checking.render import as_dict, render
from nemotron.diagnostic import Diagnostic, Place, Related, Severity, blocked, error, note, warning

TOKEN = "hf_" + "Ab1" * 10


def test_a_problem_is_shown_with_its_line_a_caret_and_the_fix(project: Path) -> None:
    file = write(project / "c.yaml", "a: 1\nlearning_rat: 5\n")
    made = write(project / "artifact.json", '{"x": 1}\n')
    related = (Related(Place(str(made), 1, 2, 3), "the producer says"),)
    problem = error(
        "NMT204",
        "unknown key 'learning_rat'",
        detail="more of it",
        where=Place(str(file), 2, 1, 12),
        related=related,
        fix="did you mean 'learning_rate'?",
    )
    assert render([problem]) == "\n".join(
        [
            "error[NMT204]: unknown key 'learning_rat'",
            "  --> c.yaml:2:1",
            "   |",
            " 2 | learning_rat: 5",
            "   | ^^^^^^^^^^^^",
            "   = more of it",
            "   = the producer says:",
            "  --> artifact.json:1:2",
            "   |",
            ' 1 | {"x": 1}',
            "   |  ^^^",
            "   fix: did you mean 'learning_rate'?",
        ]
    )


def test_an_argument_is_shown_as_it_was_typed() -> None:
    problem = error("NMT205", "wrong", where=Place(argument="lr=[1", column=1, length=5))
    assert render([problem]) == "\n".join(
        ["error[NMT205]: wrong", "  --> the command line", "   |", "   | lr=[1", "   | ^^^^^"]
    )


def test_several_are_counted_by_severity() -> None:
    found = [
        error("NMT1", ""),
        error("NMT1", ""),
        blocked("NMT1", ""),
        blocked("NMT1", ""),
        warning("NMT1", ""),
        note("NMT1", ""),
    ]
    assert render(found).endswith("\n\n2 errors, 2 blocked, 1 warning, 1 note")
    assert render([]) == ""


@pytest.mark.parametrize(
    "place",
    [
        Place("/nowhere/c.yaml", 3, 1),
        Place("c.yaml"),
        Place("c.yaml", 99, 1),
        Place("c.yaml", 1),
        Place("c.yaml", 2, 1),
        Place("."),
        Place(argument="a=1"),
        Place(),
    ],
)
def test_a_place_without_a_line_to_show_is_only_named(project: Path, place: Place) -> None:
    write(project / "c.yaml", "a: 1\n" + "x" * 500 + "\n")
    assert len(render([error("NMT1", "s", where=place)]).split("\n")) == 2


CARETS = [
    ("key: value", 1, 3, "^^^"),
    ("key: value", 6, 99, "     ^^^^^"),
    ("key: value", 11, 1, "          ^"),
    ("\tkey: value", 2, 3, " ^^^"),
    ("ключ: 1", 1, 4, "^^^^"),
]


@pytest.mark.parametrize(("line", "column", "length", "caret"), CARETS)
def test_the_caret_stands_under_its_column(
    project: Path, line: str, column: int, length: int, caret: str
) -> None:
    (project / "f").write_text(f"\n{line}\n", encoding="utf-8")
    shown = render([error("NMT1", "s", where=Place("f", 2, column, length))]).split("\n")
    assert shown[3].removeprefix(" 2 | ") == line.replace("\t", " ")
    assert shown[4].removeprefix("   | ") == caret


def test_what_a_file_holds_does_not_steer_the_terminal(project: Path) -> None:
    (project / "f").write_bytes(b"a: \x1b[2J\x07\xff\r\n")
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", render([error("NMT1", "s", where=Place("f", 1, 1))]))


@given(st.integers(0, 30), st.integers(1, 20), st.integers(1, 20), st.sampled_from(["key", "api_key", "hf"]))
def test_no_token_is_shown_anywhere(indent: int, column: int, length: int, key: str) -> None:
    from tempfile import NamedTemporaryFile

    with NamedTemporaryFile("w", encoding="utf-8") as stream:
        stream.write(f"{' ' * indent}{key}: {TOKEN}\n")
        stream.flush()
        place = Place(stream.name, 1, column, length)
        argument = Place(argument=f"{key}={TOKEN}", column=1)
        for where in (place, argument):
            problem = error(
                "NMT1",
                f"not {TOKEN}",
                detail=f"it is {TOKEN}",
                where=where,
                related=(Related(place, f"says {TOKEN}"), Related(argument, "")),
                fix=f"not {TOKEN}",
            )
            assert TOKEN not in render([problem])
            assert TOKEN not in str(as_dict(problem))


def test_what_a_telling_key_is_set_to_is_not_shown(project: Path) -> None:
    file = write(project / "c.yaml", "judge:\n  api_key: hunter2\n")
    in_file = error("NMT204", "unknown key", where=Place(str(file), 2, 3, 7))
    in_argument = error("NMT204", "unknown key", where=Place(argument="judge.api_key=hunter2", column=1))
    for problem in (in_file, in_argument):
        assert "hunter2" not in render([problem]) + str(as_dict(problem))
        assert "api_key" in render([problem])


def test_data_says_the_same() -> None:
    problem = Diagnostic(
        "NMT301",
        Severity.NOTE,
        "summary",
        "detail",
        Place("f", 1, 2, 3),
        (Related(Place(argument="a=1"), "why"), Related(Place("g"), "and")),
        "fix",
    )
    assert as_dict(problem) == {
        "code": "NMT301",
        "severity": "note",
        "summary": "summary",
        "detail": "detail",
        "where": {"file": "f", "line": 1, "column": 2},
        "related": [
            {"where": {"argument": "a=1"}, "note": "why"},
            {"where": {"file": "g", "line": None, "column": None}, "note": "and"},
        ],
        "fix": "fix",
    }
    assert as_dict(error("NMT1", "s"))["where"] is None


def test_colours_are_there_only_when_wanted() -> None:
    problem = error("NMT1", "s", fix="f")
    assert "\x1b[" not in render([problem])
    coloured = render([problem], color=True)
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == render([problem])
    assert coloured.startswith("\x1b[1;31merror[NMT1]\x1b[0m")
