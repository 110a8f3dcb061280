"""Bad input gets a clear error with its code and place; nothing is run, nothing of the user's changes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from catalogs.helpers import Nemotron, tree_of

COUNT = ("test/word_count", "data=chat.jsonl")
SFT = ("sft/automodel", "--gpus", "0", "dataset.path_or_dataset_id=chat.jsonl")
TEMPLATE = "{% for m in messages %}{{ m.content }}{% endfor %}"
INSTALLED = {"NEMOTRON_AUTOMODEL_PYTHON": sys.executable}  # nothing of the library is looked at
TOKEN = "hf_" + "a1B2" * 8


def write_model(folder: Path, *, template: str | None = TEMPLATE, weights: str = "model.safetensors") -> None:
    """The files of a checkpoint that checks look at; its weights are never loaded."""
    folder.mkdir()
    (folder / "config.json").write_text(
        '{"max_position_embeddings": 8192, "vocab_size": 4}', encoding="utf-8"
    )
    (folder / "tokenizer.json").write_text('{"model": {"vocab": {"a": 0}}}', encoding="utf-8")
    settings = {"chat_template": template} if template else {}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    (folder / weights).write_bytes(b"\x80\x04weights")


def write_lines(file: Path, *lines: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def lines(file: str, *text: str) -> Callable[[Path], None]:
    """Writes a file of the project."""
    return lambda project: write_lines(project / file, *text)


def model(**options: Any) -> Callable[[Path], None]:
    """Writes a checkpoint into the project's folder `model`."""
    return lambda project: write_model(project / "model", **options)


GOOD = '{"messages": [{"role": "user", "content": "hi"}]}'


@dataclass
class Case:
    """What is asked for, what the project holds besides chat.jsonl, and what must come of it."""

    arguments: tuple[str, ...]
    codes: list[str]
    shown: list[str]
    exit_code: int = 2
    files: Callable[[Path], object] = lambda project: None
    env: dict[str, str] = field(default_factory=dict)


CASES = {
    "an unknown step": Case(("sft/automodl",), ["NMT110"], ["did you mean sft/automodel"]),
    "an unknown config": Case((*COUNT, "-c", "leters"), ["NMT201"], ["did you mean 'letters'?"]),
    "an unknown key": Case(
        (*COUNT, "minimun=3"), ["NMT204"], ["did you mean 'minimum'?", "| minimun=3", "| ^^^^^^^^^"]
    ),
    "an unknown key of a library": Case(
        (*SFT, "model.pretrained_model_name_or_path=model", "optimizr.lr=1"),
        ["NMT204"],
        ["did you mean 'optimizer'?"],
        files=model(),
        env=INSTALLED,
    ),
    "a value of the wrong type": Case((*COUNT, "minimum=three"), ["NMT220"], ["whole number", '"three"']),
    "a value that is no choice": Case((*COUNT, "unit=leters"), ["NMT223"], ["did you mean 'letters'?"]),
    "an argument that is no key=value": Case((*COUNT, "minimum"), ["NMT205"], ["write minimum=VALUE"]),
    "YAML that does not parse": Case(
        ("test/word_count", "-c", "mine.yaml"),
        ["NMT210"],
        ["mine.yaml:2:11", " 2 | minimum: 3: 4", "   |           ^"],
        files=lines("mine.yaml", "unit: words", "minimum: 3: 4"),
    ),
    "defaults that are not there": Case(
        ("test/word_count", "-c", "mine.yaml"),
        ["NMT203"],
        ["mine.yaml:1:1", "names 'base.yaml'"],
        files=lines("mine.yaml", "defaults: base.yaml"),
    ),
    "TOML that does not parse": Case(
        ("my/step",),
        ["NMT101"],
        ["step.toml:2:", '2 | id = "my/step', "^"],
        files=lines("steps/my/step/step.toml", "[step]", 'id = "my/step'),
        env={"NEMOTRON_STEPS_PATH": "steps"},
    ),
    "a value that is left out": Case(
        ("test/word_count",),
        ["NMT208"],
        ["'data' needs a value", "Conversations to count", "default.yaml:1:1", "fix: add data=VALUE"],
        exit_code=3,
    ),
    "a variable that is not set": Case((*COUNT, "note=${oc.env:NOT_SET}"), ["NMT206"], ["export NOT_SET=…"]),
    "data that does not exist": Case(
        ("test/word_count", "data=caht.jsonl"),
        ["NMT213"],
        ["did you mean 'chat.jsonl'?", "| data=caht.jsonl"],
    ),
    "data that is empty": Case(
        ("test/word_count", "data=empty.jsonl"),
        ["NMT214"],
        ["empty.jsonl is empty"],
        files=lines("empty.jsonl", "", "  "),
    ),
    "a line that is not JSON": Case(
        ("test/word_count", "data=bad.jsonl"),
        ["NMT215"],
        ["bad.jsonl:3:15", ' 3 | {"messages": [}', "   |               ^", "data=bad.jsonl"],
        files=lines("bad.jsonl", GOOD, "", '{"messages": [}', GOOD),
    ),
    "lines without messages": Case(
        ("test/word_count", "data=bad.jsonl"),
        ["NMT215", "NMT215", "NMT215"],
        ["bad.jsonl:2:1", "has no 'messages'", "(it has 'text')", "bad.jsonl:3:1", "bad.jsonl:4:1"],
        files=lines("bad.jsonl", GOOD, '{"text": "x"}', "[1]", '{"messages": []}', GOOD),
    ),
    "a base without a chat template": Case(
        (*COUNT, "base=model"),
        ["NMT304"],
        ["model has no chat template", "chat_template=…"],
        files=model(template=None),
    ),
    "a base of a trainer without a chat template": Case(
        (*SFT, "model.pretrained_model_name_or_path=model"),
        ["NMT304"],
        ["model has no chat template", "dataset.chat_template=…"],
        files=model(template=None),
        env=INSTALLED,
    ),
    "a checkpoint in pickle format": Case(
        (*COUNT, "base=model"),
        ["NMT702"],
        ["pytorch_model.bin", "safetensors"],
        files=model(weights="pytorch_model.bin"),
    ),
    "an output folder with something else": Case(
        (*COUNT, "output=thesis"),
        ["NMT704"],
        ["thesis holds something else", "output=FOLDER"],
        files=lambda project: (
            (project / "thesis").mkdir(),
            write_lines(project / "thesis" / "a.tex", "years"),
        ),
    ),
    "an output over its input": Case((*COUNT, "output=."), ["NMT703"], ["would write over the input"]),
    "more GPUs than there are": Case(
        (*COUNT, "--gpus", "4096"), ["NMT620"], ["4096 GPUs are asked for", "--gpus"], exit_code=3
    ),
    "a library that is not installed": Case(
        (*SFT, "model.pretrained_model_name_or_path=model"),
        ["NMT601"],
        ["fix: nemotron library install automodel"],
        exit_code=3,
        files=model(),
        env={"NEMOTRON_CACHE": "empty", "NEMOTRON_AUTOMODEL_PYTHON": ""},
    ),
    "a secret that is not set": Case(
        ("test/sign", "data=chat.jsonl"), ["NMT610", "NMT610"], ["export SIGNING_TOKEN=…"], exit_code=3
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_bad_input(case: Case, nemotron: Nemotron, chat: Path, project: Path) -> None:
    case.files(project)
    before = tree_of(project)
    ended = nemotron("steps", "run", *case.arguments, "--json", env={"COLUMNS": "200", **case.env})
    told = json.loads(ended.stdout)
    assert [problem["code"] for problem in told["diagnostics"]] == case.codes
    assert (ended.returncode, told["exit_code"]) == (case.exit_code, case.exit_code)
    missing = [words for words in case.shown if words not in ended.stderr]
    assert missing == [], ended.stderr
    assert TOKEN not in ended.stderr + ended.stdout
    assert tree_of(project) == before
    assert list((project / ".nemotron").iterdir()) == []


def test_every_problem_is_told_at_once(nemotron: Nemotron, chat: Path) -> None:
    ended = nemotron(
        "steps", "run", "test/word_count", "minimun=3", "unit=x", "data=absent.jsonl", "note=???"
    )
    assert ended.returncode == 2
    assert all(f"[{code}]" in ended.stderr for code in ("NMT204", "NMT223", "NMT213", "NMT208"))
    assert ended.stderr.rstrip().endswith("3 errors, 1 blocked")


def test_a_dry_run_finds_the_same(nemotron: Nemotron, chat: Path, project: Path) -> None:
    ended = nemotron("steps", "run", *COUNT, "--gpus", "4096", "--dry-run")
    assert (ended.returncode, ended.stdout) == (3, "")
    assert "NMT620" in ended.stderr
