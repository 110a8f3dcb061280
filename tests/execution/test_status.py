"""A pipeline's own results, as its run folder keeps them."""

from __future__ import annotations

from pathlib import Path

from catalogs.pipelines import Branches, run_branches

from nemotron.execution.status import status_file
from nemotron.execution.store import Run, read_json

ORDER = ["first", "left", "left_count", "right"]


def entries(run: Run) -> dict[str, dict[str, object]]:
    return {entry["name"]: entry for entry in read_json(status_file(run))["steps"]}


def test_every_step_is_told_with_what_it_made(branches: Branches) -> None:
    told = entries(run_branches(branches).run)
    assert list(told) == ORDER
    for entry in told.values():
        assert entry["status"] == "done"
        assert isinstance(entry["seconds"], float)
        assert isinstance(entry["artifacts"], dict)
        assert all(Path(path).exists() for path in entry["artifacts"].values())


def test_what_was_skipped_says_why(branches: Branches) -> None:
    first = run_branches(branches).run
    told = entries(run_branches(branches).run)
    assert {entry["status"] for entry in told.values()} == {"skipped"}
    assert all(first.id in str(entry["why"]) for entry in told.values())


def test_a_failure_is_told_whole_and_so_is_what_it_stopped(branches: Branches) -> None:
    branches.change("left", fails=True)
    told = entries(run_branches(branches).run)
    assert [told[name]["status"] for name in ("left", "left_count")] == ["failed", "not run"]
    (problem,) = told["left"]["diagnostics"]  # type: ignore[misc]
    assert problem["code"].startswith("NMT")
    assert problem["summary"] == told["left"]["why"]
