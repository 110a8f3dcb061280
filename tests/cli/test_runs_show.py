"""`nemotron runs list`, `show` and `status`: how runs ended, for people and for programs."""

from __future__ import annotations

import json

import pytest
from catalogs.helpers import Nemotron
from catalogs.pipelines import Branches, run_branches

COMMANDS = ("show", "status", "logs", "cancel", "resume", "remove")


def test_a_project_without_runs_says_so(nemotron: Nemotron) -> None:
    ended = nemotron("runs", "list")
    assert (ended.returncode, ended.stdout) == (0, "No runs yet: `nemotron pipeline run FILE` makes one.\n")
    assert json.loads(nemotron("runs", "list", "--json").stdout)["runs"] == []


def test_runs_are_listed_newest_first(branches: Branches, nemotron: Nemotron) -> None:
    done = run_branches(branches).run.id
    branches.change("left", times=4, fails=True)
    failed = run_branches(branches).run.id
    told = json.loads(nemotron("runs", "list", "--json").stdout)["runs"]
    assert [(run["id"], run["name"], run["status"], run["done"], run["total"]) for run in told] == [
        (failed, "branches", "failed", 1, 4),
        (done, "branches", "done", 4, 4),
    ]
    heading, *rows = nemotron("runs", "list").stdout.splitlines()
    assert heading.split() == ["RUN", "STARTED", "WHAT", "STATUS", "TOOK", "STEPS"]
    assert [(row.split()[0], row.split()[-1]) for row in rows] == [(failed, "1/4"), (done, "4/4")]


def test_a_run_is_shown_with_why_it_failed_and_how_to_go_on(branches: Branches, nemotron: Nemotron) -> None:
    branches.change("left", fails=True)
    run = run_branches(branches).run.id
    ended = nemotron("runs", "show", "last")
    assert ended.returncode == 0
    lines = ended.stdout.splitlines()
    assert lines[0] == f"{run}: branches, failed, 1 of 4 steps done"
    assert lines[2].startswith("  first       done in ")
    assert lines[3].startswith("      records  .nemotron/artifacts/link-repeat-")
    assert lines[4] == f"      log  .nemotron/runs/{run}/first/1/log"
    assert "      NMT801: the job failed with exit code 1" in lines
    assert "  right       not run: left did not end well" in lines
    assert lines[-1] == f"Go on with: nemotron runs resume {run}"
    told = json.loads(nemotron("runs", "show", "branches", "--json").stdout)
    assert (told["id"], told["status"], told["diagnostics"]) == (run, "failed", [])
    first, left, *_ = told["steps"]
    assert (first["status"], list(first["artifacts"])) == ("done", ["records"])
    assert [problem["code"] for problem in left["problems"]] == ["NMT801"]
    assert left["log"].endswith("/left/1/log")


def test_what_was_skipped_says_why_in_full(branches: Branches, nemotron: Nemotron) -> None:
    first = run_branches(branches).run.id
    run_branches(branches)
    ended = nemotron("runs", "show", "last")
    assert f"skipped: run {first} made it from the same config and inputs\n" in ended.stdout
    assert "Go on with" not in ended.stdout


def test_the_exit_code_of_a_status_says_how_far_a_run_is(branches: Branches, nemotron: Nemotron) -> None:
    run = run_branches(branches).run
    ended = nemotron("runs", "status", "last")
    assert ended.returncode == 0
    assert [line.split()[:2] for line in ended.stdout.splitlines()[1:]] == [
        [name, "done"] for name in ("first", "left", "left_count", "right")
    ]
    (run.folder / "status.json").unlink()
    (run.folder / "right" / "1" / "result.json").unlink()
    (run.folder / "right" / "1" / "command.json").unlink()
    assert nemotron("runs", "status", "last").returncode == 3
    branches.change("left", times=4, fails=True)
    run_branches(branches)
    told = json.loads(nemotron("runs", "status", "last", "--json").stdout)
    assert (told["exit_code"], told["status"]) == (1, "failed")


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_run_is_refused_with_the_nearest(
    branches: Branches, nemotron: Nemotron, command: str
) -> None:
    run = run_branches(branches, only="left").run.id
    ended = nemotron("runs", command, "branhces")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "error[NMT807]: there is no run 'branhces'" in ended.stderr
    assert f"did you mean '{run}'?" in ended.stderr


@pytest.mark.parametrize("command", ["list", *COMMANDS])
def test_the_help_has_an_example(nemotron: Nemotron, command: str) -> None:
    ended = nemotron("runs", command, "--help", env={"COLUMNS": "200"})
    assert ended.returncode == 0
    assert f"`nemotron runs {command}" in ended.stdout.split("Example")[1]
