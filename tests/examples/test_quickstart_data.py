"""The quick start's data: the same every time, held out by module, nothing overwritten."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

QUICKSTART = Path(__file__).resolve().parents[2] / "examples" / "quickstart"
READ = """
import docstrings, hashlib, sys
entries = docstrings.read_entries()
assert not {"tkinter", "this", "turtle", "idlelib"} & set(sys.modules)
print(hashlib.sha256(repr(entries).encode()).hexdigest())
"""


@pytest.fixture(scope="module")
def docstrings() -> Iterator[ModuleType]:
    sys.path.insert(0, str(QUICKSTART))
    yield importlib.import_module("docstrings")
    sys.path.remove(str(QUICKSTART))


@pytest.fixture(scope="module")
def records(docstrings: ModuleType) -> ModuleType:
    return importlib.import_module("records")


@pytest.fixture(scope="module")
def entries(docstrings: ModuleType) -> Any:
    return docstrings.read_entries()


@pytest.fixture(scope="module")
def split(entries: Any, records: ModuleType) -> Any:
    return records.split_by_module(entries)


def make_data(python: Path, output: Path) -> subprocess.CompletedProcess[str]:
    argv = [str(python), str(QUICKSTART / "make_data.py"), str(output)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120)


def test_another_process_reads_the_same_and_imports_nothing_with_a_window(entries: Any) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(QUICKSTART)}
    argv = [sys.executable, "-c", READ]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == hashlib.sha256(repr(entries).encode()).hexdigest()


def test_both_compiled_and_python_modules_are_read(entries: Any) -> None:
    named = {entry.name: entry for entry in entries}
    assert len(entries) > 5000
    assert named["math.acos"].heading == "math.acos(x)"
    assert named["textwrap.dedent"].summary.startswith("Remove any common leading whitespace")
    assert named["builtins.str.isidentifier"].kind == "method"


def test_a_name_says_the_module_that_people_import(docstrings: ModuleType) -> None:
    assert docstrings.public_name("_heapq") == "heapq"
    assert docstrings.public_name("posix") == "os"
    assert docstrings.public_name("_pydecimal") == "decimal"
    assert docstrings.public_name("json.decoder") == "json.decoder"


def test_a_module_is_on_one_side(split: Any) -> None:
    train, valid = ({entry.family for entry in side} for side in (split.train, split.valid))
    assert train.isdisjoint(valid)
    assert valid <= set(split.held_out)


def test_no_description_is_on_both_sides(split: Any) -> None:
    def texts(entries: Any) -> set[str]:
        return {" ".join(text.lower().split()) for entry in entries for text in (entry.text, entry.summary)}

    assert texts(split.train).isdisjoint(texts(split.valid))


def test_a_tenth_is_held_out(split: Any, records: ModuleType) -> None:
    train, valid = (sum(map(records.is_chat_entry, side)) for side in (split.train, split.valid))
    assert 0.08 < valid / (train + valid) < 0.12


def test_the_right_choice_is_the_functions_own_description(split: Any, records: ModuleType) -> None:
    described = {(records.question(entry), entry.summary) for entry in split.valid}
    made = records.choice_records(list(filter(records.is_chat_entry, split.valid)))
    assert len(made) >= 100
    for record in made:
        assert (record["question"], record["choices"][record["answer"]]) in described
        assert len(set(record["choices"])) == records.CHOICES
    places = [record["answer"] for record in made]
    assert all(places.count(place) > len(made) / 8 for place in range(records.CHOICES))


def test_a_folder_with_something_else_is_refused(tmp_path: Path, automodel_python: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = make_data(automodel_python, tmp_path)
    assert done.returncode == 2
    assert "holds something else" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.training
def test_two_runs_make_the_same_files_and_a_third_leaves_them(tmp_path: Path, automodel_python: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    assert make_data(automodel_python, first).returncode == 0
    assert make_data(automodel_python, second).returncode == 0
    files = {path.relative_to(first): path.read_bytes() for path in first.rglob("*") if path.is_file()}
    assert files == {
        path.relative_to(second): path.read_bytes() for path in second.rglob("*") if path.is_file()
    }
    before = {path: path.stat().st_mtime_ns for path in first.rglob("*")}
    again = make_data(automodel_python, first)
    assert (again.returncode, "left as it is" in again.stdout) == (0, True)
    assert {path: path.stat().st_mtime_ns for path in first.rglob("*")} == before
    check_model_files(first / "model", json.loads((first / "summary.json").read_text())["parameters"])


def check_model_files(model: Path, parameters: int) -> None:
    """What transformers 4 needs in order to load them, too."""
    tokenizer = json.loads((model / "tokenizer_config.json").read_text())
    config = json.loads((model / "config.json").read_text())
    assert tokenizer["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert (tokenizer["eos_token"], config["rope_theta"]) == ("<|end|>", 10000.0)
    assert "{% generation %}" in (model / "chat_template.jinja").read_text()
    assert (
        len(json.loads((model / "tokenizer.json").read_text())["model"]["vocab"])
        == config["vocab_size"]
        == 4096
    )
    assert 1_000_000 <= parameters <= 5_000_000
