"""`nemotron catalog check`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from catalogs.helpers import Nemotron
from small import SmallCatalog, write


@pytest.fixture
def own(project: Path) -> Path:
    """A catalog of one's own below the working directory: one good step, no types.toml."""
    ports = '[[consumes]]\ntype = "training_jsonl"\nat = "data"\n'
    folder = SmallCatalog(project / "own").step("mine/count", ports, default="data: ???\n")
    write(folder / "README.md", "# Count\n")
    return project / "own"


def test_a_good_catalog_ends_with_one_line(nemotron: Nemotron, own: Path) -> None:
    for path in ("own", "own/mine/count"):
        ended = nemotron("catalog", "check", path)
        assert (ended.returncode, ended.stderr, ended.stdout) == (0, "", "1 step, 0 types: no problem\n")


def test_problems_are_shown_with_place_and_fix(nemotron: Nemotron, own: Path) -> None:
    file = own / "mine" / "count" / "step.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("training_", "trainng_"), encoding="utf-8")
    write(
        own / "types.toml", '[types.tally]\ndescription = "A tally."\nconvert_to = { tally = "mine/none" }\n'
    )
    ended = nemotron("catalog", "check", "own", "--strict")
    assert (ended.returncode, ended.stdout) == (2, "1 step, 1 type: 2 problems\n")
    assert "error[NMT105]: there is no artifact type 'trainng_jsonl'" in ended.stderr
    assert "own/mine/count/step.toml:9:1" in ended.stderr
    assert "fix: did you mean 'training_jsonl'?" in ended.stderr
    told = json.loads(nemotron("catalog", "check", "own", "--json").stdout)
    assert (told["version"], told["steps"], told["types"], told["exit_code"]) == (1, 1, 1, 2)
    assert [(d["code"], d["where"]["line"]) for d in told["diagnostics"]] == [("NMT105", 9), ("NMT112", 3)]


def test_without_a_path_every_catalog_in_use_is_checked(nemotron: Nemotron, own: Path) -> None:
    file = own / "mine" / "count" / "step.toml"
    file.write_text(file.read_text(encoding="utf-8").replace('"data"', '"dta"'), encoding="utf-8")
    ended = nemotron("catalog", "check", "--json", env={"NEMOTRON_STEPS_PATH": str(own)})
    told = json.loads(ended.stdout)
    assert told["steps"] > 6
    ours = [d for d in told["diagnostics"] if d["where"]["file"] == str(file)]
    assert [d["code"] for d in ours] == ["NMT113"]


def test_a_folder_without_steps_is_an_error(nemotron: Nemotron, project: Path) -> None:
    (project / "empty").mkdir()
    for path in ("empty", "nowhere"):
        ended = nemotron("catalog", "check", path, "--json")
        assert ended.returncode == 2
        assert [d["code"] for d in json.loads(ended.stdout)["diagnostics"]] == ["NMT110"]
