"""The table of codes: complete, short, and each code of one severity."""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from small import failure

import nemotron
from nemotron.checking.codes import Code, all_codes, find_code
from nemotron.cli.app import app
from nemotron.diagnostic import Failure

SOURCE = Path(nemotron.__file__).parent
CODE = re.compile(r"\bNMT\d{3}\b")
MAKERS = {"error": "error", "blocked": "blocked", "warning": "warning", "note": "note", "JobError": "error"}
# A secret's variable: what is missing before a job starts fails it once it runs.
OF_TWO_SEVERITIES = {"NMT610": {"blocked", "error"}}
RANGES = {
    "1": "catalog",
    "2": "config and input data",
    "3": "alignment",
    "4": "parallelism",
    "5": "memory",
    "6": "surroundings",
    "7": "safety",
    "8": "running",
    "9": "bugs",
}


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def raised() -> Iterator[tuple[str, str, str]]:
    """Code, severity and place of every diagnostic that is made with a literal code."""
    for file in modules():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MAKERS:
                first = node.args[0] if node.args else None
                if isinstance(first, ast.Constant) and CODE.fullmatch(str(first.value)):
                    place = f"{file.relative_to(SOURCE)}:{node.lineno}"
                    yield str(first.value), MAKERS[node.func.id], place


def test_the_table_has_exactly_the_codes_of_the_source() -> None:
    used = {code for file in modules() for code in CODE.findall(file.read_text(encoding="utf-8"))}
    assert {entry.code for entry in all_codes()} == used


def test_a_code_always_weighs_the_same() -> None:
    weights: dict[str, dict[str, str]] = {}
    for code, severity, place in raised():
        weights.setdefault(code, {})[severity] = place
    assert len(weights) > 50
    mixed = {code: found for code, found in weights.items() if len(found) > 1}
    assert {code: set(found) for code, found in mixed.items()} == OF_TWO_SEVERITIES


@pytest.mark.parametrize("entry", all_codes(), ids=lambda entry: entry.code)
def test_an_entry_says_in_a_few_sentences_when_and_what_to_do(entry: object) -> None:
    assert isinstance(entry, Code)
    assert CODE.fullmatch(entry.code)
    assert entry.code[3] in RANGES
    assert entry.title == entry.title.strip()
    assert 10 <= len(entry.title) <= 70
    assert not entry.title.endswith(".")
    sentences = [s for s in re.split(r"(?<=[.])\s+(?=[A-Z`~])", entry.explanation) if s]
    assert 1 <= len(sentences) <= 3
    assert entry.explanation.endswith((".", "'."))


def test_entries_come_in_order_and_no_two_have_one_title() -> None:
    entries = all_codes()
    assert [entry.code for entry in entries] == sorted(entry.code for entry in entries)
    assert len({entry.title for entry in entries}) == len(entries)


@pytest.mark.parametrize("written", ["NMT301", "nmt301"])
def test_a_code_is_found_in_either_case(written: str) -> None:
    assert find_code(written).title == "Two statements of one fact differ"


@pytest.mark.parametrize(
    ("written", "fix"),
    [
        ("NMT3011", "did you mean 'NMT301'?"),
        ("nonsense", "`nemotron explain` lists them all"),
        ("", "`nemotron"),
    ],
)
def test_an_unknown_code_is_reported(written: str, fix: str) -> None:
    found = failure(lambda: find_code(written))
    assert (found.code, found.summary) == ("NMT109", f"there is no diagnostic code '{written}'")
    assert found.fix.startswith(fix)


EXAMPLES = [entry for entry in all_codes() if entry.example is not None]


@pytest.mark.parametrize("entry", EXAMPLES, ids=lambda entry: entry.code)
def test_an_example_gives_its_code_and_no_other_of_that_weight(
    entry: Code, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert entry.example is not None
    monkeypatch.delenv("NEMOTRON_STEPS_PATH", raising=False)
    for name, content in entry.example.files.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(content, encoding="utf-8")
    program, *arguments = shlex.split(entry.example.command)
    assert program == "nemotron"
    found = diagnostics_of(arguments, capsys)
    assert entry.code in found
    severity = found[entry.code]
    assert [code for code, other in found.items() if other == severity] == [entry.code]
    assert severity == "error" or "error" not in found.values()


def diagnostics_of(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Code → severity of what a command line reports, run in this process."""
    try:
        app([*arguments, "--json"], standalone_mode=False)
    except Failure as failure:
        return {problem.code: str(problem.severity) for problem in failure.diagnostics}
    told = json.loads(capsys.readouterr().out)
    return {problem["code"]: problem["severity"] for problem in told["diagnostics"]}


def test_most_codes_about_the_catalog_and_configs_have_an_example() -> None:
    plain = [entry for entry in all_codes() if entry.code < "NMT230"]
    without = [entry.code for entry in plain if entry.example is None]
    assert len(without) < len(plain) / 10, without
