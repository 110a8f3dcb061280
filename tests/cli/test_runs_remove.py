"""`nemotron runs remove`: what only this run made goes, everything that another one uses stays."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from catalogs.helpers import Nemotron, start_nemotron, wait_for
from catalogs.pipelines import Branches, run_branches

from nemotron.execution.pipeline_result import PipelineResult


def folders(project: Path) -> set[str]:
    return {folder.name for folder in (project / ".nemotron" / "artifacts").iterdir()}


def made(result: PipelineResult) -> dict[str, str]:
    """Step → the name of its artifact's folder."""
    found = {}
    for step in result.steps:
        assert step.outcome is not None
        path = step.outcome.made[0].path
        found[step.name] = path.name if path.is_dir() else path.parent.name
    return found


def removed(nemotron: Nemotron, run: str = "last") -> dict[str, object]:
    ended = nemotron("runs", "remove", run, "--yes", "--json")
    assert ended.returncode == 0, ended.stderr
    told: dict[str, object] = json.loads(ended.stdout)
    return told


def test_a_run_goes_with_what_only_it_made(branches: Branches, nemotron: Nemotron, project: Path) -> None:
    result = run_branches(branches)
    told = removed(nemotron)
    assert (told["id"], told["kept"], len(told["artifacts"])) == (result.run.id, {}, 4)  # type: ignore[arg-type]
    assert folders(project) == set()
    assert list((project / ".nemotron" / "runs").iterdir()) == []
    assert sorted(path.name for path in (project / ".nemotron").iterdir() if path.is_dir()) == [
        "artifacts",
        "locks",
        "runs",
    ]
    assert (project / "chat.jsonl").is_file()


def count_letters(nemotron: Nemotron, name: str) -> str:
    """A run of its own on the records in an artifact's folder; its id."""
    data = f"data=.nemotron/artifacts/{name}/records.jsonl"
    ended = nemotron("steps", "run", "test/word_count", data, "unit=letters", "--json")
    assert ended.returncode == 0, ended.stderr
    run: str = json.loads(ended.stdout)["run"]
    return run


def test_what_another_run_took_as_input_stays(branches: Branches, nemotron: Nemotron, project: Path) -> None:
    first = run_branches(branches)
    name = made(first)["first"]
    other = count_letters(nemotron, name)
    told = removed(nemotron, first.run.id)
    assert told["kept"] == {str(project / ".nemotron" / "artifacts" / name): f"run {other}"}
    assert len(folders(project)) == 2
    assert folders(project) > {name}


def test_what_another_run_skipped_with_stays(branches: Branches, nemotron: Nemotron, project: Path) -> None:
    first, second = run_branches(branches), run_branches(branches)
    assert len(removed(nemotron, first.run.id)["kept"]) == 4  # type: ignore[arg-type]
    assert folders(project) == set(made(first).values())
    assert removed(nemotron, second.run.id)["artifacts"] == []
    assert folders(project) == set(made(first).values())


def test_what_a_kept_artifact_was_made_from_stays(
    branches: Branches, nemotron: Nemotron, project: Path
) -> None:
    first = run_branches(branches)
    name = made(first)
    count_letters(nemotron, name["left"])
    told = removed(nemotron, first.run.id)
    kept = {Path(path).name: why for path, why in told["kept"].items()}  # type: ignore[attr-defined]
    assert set(kept) == {name["left"], name["first"]}
    assert kept[name["first"]] == f"{name['left']} was made from it"


def test_what_a_forced_step_kept_goes_too_unless_it_is_used(
    branches: Branches, nemotron: Nemotron, project: Path
) -> None:
    nemotron("steps", "run", "test/word_count", "data=chat.jsonl")
    for _ in range(2):
        nemotron("steps", "run", "test/word_count", "data=chat.jsonl", "--force")
    (name,) = (folder for folder in folders(project) if "." not in folder)
    used, unused = sorted(folders(project) - {name})
    copy = project / ".nemotron" / "artifacts" / used / "records.jsonl"
    copy.write_text((project / "chat.jsonl").read_text(encoding="utf-8"), encoding="utf-8")
    count_letters(nemotron, used)
    for _ in range(2):
        run = json.loads(nemotron("runs", "list", "--json").stdout)["runs"][-1]["id"]
        removed(nemotron, run)
    run = json.loads(nemotron("runs", "list", "--json").stdout)["runs"][-1]["id"]
    told = removed(nemotron, run)
    assert {Path(path).name for path in told["artifacts"]} == {name, unused}  # type: ignore[attr-defined]
    assert [Path(path).name for path in told["kept"]] == [used]  # type: ignore[attr-defined]


def test_files_that_the_user_named_stay(branches: Branches, nemotron: Nemotron, project: Path) -> None:
    nemotron("steps", "run", "test/word_count", "data=chat.jsonl", "output=out")
    assert removed(nemotron)["artifacts"] == []
    assert (project / "out" / "counts.json").is_file()


def test_without_a_terminal_nothing_goes_unless_it_was_said(
    branches: Branches, nemotron: Nemotron, project: Path
) -> None:
    result = run_branches(branches)
    ended = nemotron("runs", "remove", "last")
    assert (ended.returncode, ended.stdout) == (3, "")
    assert "To be removed (" in ended.stderr
    assert f"  .nemotron/runs/{result.run.id}\n" in ended.stderr
    assert "blocked[NMT812]" in ended.stderr
    assert f"nemotron runs remove {result.run.id} --yes" in ended.stderr
    assert folders(project) == set(made(result).values())


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 3), ("\n", 3)])
def test_on_a_terminal_it_asks(branches: Branches, project: Path, answer: str, code: int) -> None:
    result = run_branches(branches, only="first")
    ours, theirs = pty.openpty()
    argv = [sys.executable, "-m", "nemotron", "runs", "remove", "last"]
    asking = subprocess.Popen(argv, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    os.write(ours, answer.encode())
    _, stderr = asking.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert (asking.returncode, "Remove it?" in stderr) == (code, True)
    assert result.run.folder.exists() == (code != 0)


def test_a_run_that_is_going_on_is_refused(branches: Branches, nemotron: Nemotron, project: Path) -> None:
    (project / "pause").touch()
    branches.change("first", pause=str(project / "pause"))
    runner = start_nemotron("pipeline", "run", "branches.yaml")
    try:
        wait_for(lambda: list(project.glob(".nemotron/runs/*/first/1/progress.jsonl")), "first step")
        ended = nemotron("runs", "remove", "last", "--yes")
        assert ended.returncode == 3
        assert "blocked[NMT809]" in ended.stderr
        assert "nemotron runs cancel " in ended.stderr
    finally:
        (project / "pause").write_text("go on", encoding="utf-8")
        runner.communicate(timeout=60)
    assert runner.returncode == 0
