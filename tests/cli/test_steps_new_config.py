"""`nemotron steps new-config`: only what differs, and nothing is written over."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from catalogs.helpers import FAKE, Nemotron, tree_of, write_chat


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A team's own catalog, which tests may write to."""
    shutil.copytree(FAKE, tmp_path / "steps")
    monkeypatch.setenv("NEMOTRON_STEPS_PATH", str(tmp_path / "steps"))
    return tmp_path / "steps"


def test_a_config_holds_its_defaults_and_what_differs(nemotron: Nemotron, steps: Path, project: Path) -> None:
    ended = nemotron("steps", "new-config", "word_count", "mine", "unit=letters", "minimum=3", "note=1e-5")
    file = steps / "test" / "word_count" / "config" / "mine.yaml"
    assert ended.returncode == 0
    assert yaml.safe_load(file.read_text(encoding="utf-8")) == {
        "defaults": "default.yaml",
        "unit": "letters",
        "minimum": 3,
        "note": 1e-5,
    }
    assert ended.stdout.startswith("Wrote ")
    assert ended.stdout.splitlines()[0].endswith("/test/word_count/config/mine.yaml")
    assert "nemotron steps run test/word_count -c mine" in ended.stdout
    assert list(project.iterdir()) == [project / ".nemotron"]


def test_the_new_config_runs(nemotron: Nemotron, steps: Path, project: Path) -> None:
    write_chat(project / "chat.jsonl", 1)
    nemotron("steps", "new-config", "word_count", "mine", "unit=letters", "data=chat.jsonl", "output=out")
    ended = nemotron("steps", "run", "word_count", "-c", "mine")
    assert ended.returncode == 0
    counts = json.loads((project / "out" / "counts.json").read_text(encoding="utf-8"))
    assert counts == {"user": 7, "assistant": 2}


@pytest.mark.parametrize("name", ["default", "letters"])
def test_a_name_that_is_taken_is_refused_and_its_file_kept(
    nemotron: Nemotron, steps: Path, name: str
) -> None:
    before = tree_of(steps)
    ended = nemotron("steps", "new-config", "word_count", name, "unit=letters", "--json")
    assert ended.returncode == 2
    assert [p["code"] for p in json.loads(ended.stdout)["diagnostics"]] == ["NMT209"]
    assert tree_of(steps) == before


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["word_count", "../evil", "unit=letters"], "NMT209"),
        (["word_count", ".hidden"], "NMT209"),
        (["word_cuont", "mine"], "NMT110"),
        (["word_count", "mine", "unit"], "NMT205"),
        (["word_count", "mine", "note=hf_" + "a1B2" * 8], "NMT701"),
        (["word_count", "mine", "api_key=hunter2"], "NMT701"),
    ],
)
def test_what_cannot_be_written_is_refused_and_nothing_written(
    nemotron: Nemotron, steps: Path, arguments: list[str], code: str
) -> None:
    before = tree_of(steps.parent)
    ended = nemotron("steps", "new-config", *arguments, "--json")
    assert ended.returncode == 2
    assert [p["code"] for p in json.loads(ended.stdout)["diagnostics"]] == [code]
    assert "a1B2" not in ended.stdout + ended.stderr
    assert "hunter2" not in ended.stdout + ended.stderr
    assert tree_of(steps.parent) == before


def test_where_it_was_written_is_data_too(nemotron: Nemotron, steps: Path) -> None:
    told = json.loads(nemotron("steps", "new-config", "test/trainer", "mine", "--json").stdout)
    assert (told["step"], told["config"]) == ("test/trainer", "mine")
    assert Path(told["file"]).read_text(encoding="utf-8") == "defaults: default.yaml\n"
