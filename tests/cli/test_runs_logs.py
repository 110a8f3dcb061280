"""`nemotron runs logs`: what jobs printed, and what they go on printing."""

from __future__ import annotations

import json
from pathlib import Path

from catalogs.helpers import Nemotron, run_step, start_nemotron, wait_for
from catalogs.pipelines import Branches, run_branches


def test_the_logs_of_all_steps_come_under_their_names(branches: Branches, nemotron: Nemotron) -> None:
    run_branches(branches)
    assert nemotron("runs", "logs", "last").stdout.splitlines() == [
        "== first",
        "repeating 3 records",
        "== left",
        "repeating 6 records",
        "== left_count",
        "counted 18 records",
        "== right",
        "counted 6 records",
    ]


def test_the_log_of_one_step_comes_alone(branches: Branches, nemotron: Nemotron, project: Path) -> None:
    run = run_branches(branches).run
    assert nemotron("runs", "logs", "last", "right").stdout == "counted 6 records\n"
    told = json.loads(nemotron("runs", "logs", "last", "right", "--json").stdout)
    assert told["logs"] == {"right": str(run.folder / "right" / "1" / "log")}


def test_an_unknown_step_is_refused_with_the_nearest(branches: Branches, nemotron: Nemotron) -> None:
    run_branches(branches, only="left")
    ended = nemotron("runs", "logs", "last", "rihgt")
    assert ended.returncode == 2
    assert "did you mean 'right'?" in ended.stderr
    assert nemotron("runs", "logs", "last", "right").stderr == "No log yet.\n"


def test_a_log_is_followed_until_the_run_ends(branches: Branches, project: Path) -> None:
    (project / "pause").touch()
    branches.change("left", pause=str(project / "pause"))
    runner = start_nemotron("pipeline", "run", "branches.yaml", "--jobs", "1")
    wait_for(lambda: list(project.glob(".nemotron/runs/*/left/1/progress.jsonl")), "second step")
    following = start_nemotron("runs", "logs", "last", "--follow")
    assert following.stdout is not None
    first = [following.stdout.readline() for _ in range(4)]
    assert first == ["== first\n", "repeating 3 records\n", "== left\n", "repeating 6 records\n"]
    assert (following.poll(), runner.poll()) == (None, None)
    (project / "pause").write_text("go on", encoding="utf-8")
    runner.communicate(timeout=60)
    rest, _ = following.communicate(timeout=60)
    assert following.returncode == 0
    assert rest.splitlines() == ["== left_count", "counted 18 records", "== right", "counted 6 records"]


def test_a_secret_that_a_job_printed_is_not_shown(fake_steps: Path, nemotron: Nemotron) -> None:
    run_step("test/breaks", "how=prints_a_secret")
    shown = nemotron("runs", "logs", "last").stdout
    assert "logged in with" in shown
    assert "a1B2a1B2" not in shown
