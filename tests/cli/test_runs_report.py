"""`nemotron runs report`, and the report that every run of a pipeline ends with."""

from __future__ import annotations

import json
from pathlib import Path

from catalogs.helpers import Nemotron
from catalogs.pipelines import Branches, run_branches


def test_a_pipeline_s_run_ends_with_its_report(branches: Branches, nemotron: Nemotron, project: Path) -> None:
    done = nemotron("pipeline", "run", "branches.yaml", "-q")
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("  report  ")]
    file = project / line.removeprefix("  report  ")
    (run,) = (project / ".nemotron" / "runs").iterdir()
    assert file == run / "report.html"
    assert file.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_a_run_that_fails_has_a_report_and_the_last_line_goes_on(
    branches: Branches, nemotron: Nemotron, project: Path
) -> None:
    branches.change("left", fails=True)
    done = nemotron("pipeline", "run", "branches.yaml", "-q", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["exit_code"]) == (1, 1)
    assert "is-failed" in Path(told["report"]).read_text(encoding="utf-8")
    last = nemotron("pipeline", "run", "branches.yaml", "-q").stdout.splitlines()[-1]
    assert last == "Go on with: nemotron pipeline run branches.yaml"


def test_a_report_is_written_where_it_is_wanted(
    branches: Branches, nemotron: Nemotron, project: Path
) -> None:
    run = run_branches(branches).run
    assert nemotron("runs", "report", "last", "-o", "mine.html").stdout == "mine.html\n"
    assert run.id in (project / "mine.html").read_text(encoding="utf-8")
    assert nemotron("runs", "report", run.id).stdout == f".nemotron/runs/{run.id}/report.html\n"


def test_as_data_it_is_one_document_and_writes_nothing(branches: Branches, nemotron: Nemotron) -> None:
    run = run_branches(branches).run
    told = json.loads(nemotron("runs", "report", "last", "--json").stdout)
    assert (told["version"], told["file"], told["report"]["run"]) == (1, None, run.id)
    assert {step["status"] for step in told["report"]["steps"]} == {"done"}
    assert not (run.folder / "report.html").exists()


def test_a_folder_that_is_not_there_is_told(branches: Branches, nemotron: Nemotron) -> None:
    run_branches(branches)
    done = nemotron("runs", "report", "last", "-o", "nowhere/mine.html")
    assert done.returncode == 2
    assert "NMT213" in done.stderr
    assert "mkdir -p nowhere" in done.stderr


def test_in_a_folder_it_is_called_as_the_run(branches: Branches, nemotron: Nemotron, project: Path) -> None:
    run = run_branches(branches).run
    (project / "reports").mkdir()
    assert nemotron("runs", "report", "last", "-o", "reports").stdout == f"reports/{run.id}.html\n"
