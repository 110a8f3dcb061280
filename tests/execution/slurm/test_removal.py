"""A run is removed on its cluster too, and nothing that another run there uses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path, PurePosixPath

from execution.slurm.conftest import Site, repeat
from nemotron.execution.slurm.removal import artifacts_of
from nemotron.execution.store import Store


def test_only_folders_among_the_cluster_s_artifacts_are_a_run_s_to_remove(tmp_path: Path) -> None:
    run = Store(tmp_path / ".nemotron").new_run("run", "version: 1\n")
    outputs = [
        "/far/artifacts/a-1/model",
        "/far/artifacts",
        "/far/artifacts/../../home",
        "/else/artifacts/b-2",
    ]
    attempt = run.new_attempt("a")
    attempt.command.write_text(json.dumps({"outputs": dict(enumerate(outputs))}))
    assert artifacts_of(run, PurePosixPath("/far")) == {"a-1"}


def test_a_run_is_removed_on_its_cluster_with_what_only_it_made(site: Site) -> None:
    file = site.pipeline("chain.yaml", a=repeat("chat"), b=repeat("a"))
    submit = ("pipeline", "run", file, "--run", "far", "--yes", "--quiet")
    artifacts = site.remote / "artifacts"

    def submitted() -> str:
        site.nemotron(*submit)
        return site.runs()[-1].name

    first, second = submitted(), submitted()
    site.cluster.stop_sshd()
    try:
        printed = site.nemotron("runs", "remove", first, "--yes", code=4)
        assert "NMT650" in printed
        assert f"nemotron runs remove {first} --keep-remote" in printed
        assert [run.name for run in site.runs()] == [first, second]
        printed = site.nemotron("runs", "remove", second, "--yes", "--keep-remote")
        assert f"Left on its cluster, with any job that still runs: {site.remote / second}" in printed
    finally:
        site.cluster.start_sshd()
    assert [run.name for run in site.runs()] == [first]
    assert (site.remote / second).is_dir()

    # The second run is of nobody here, as those of another project are; what it skipped with stays.
    printed = site.nemotron("runs", "remove", first, "--yes")
    assert f"  {site.remote / first} on cluster\n" in printed
    made = sorted(artifacts.iterdir())
    assert [f"Kept: {path} on cluster (run {second})" in printed for path in made] == [True, True]
    assert (site.runs(), (site.remote / first).exists()) == ([], False)

    third = submitted()
    shutil.rmtree(site.remote / second)
    aside = made[0].with_name(f"{made[0].name}.unfinished-7.0")
    aside.mkdir()
    stdout = site.nemotron("runs", "remove", third, "--yes", "--json").partition("To be removed")[0]
    told = json.loads(stdout)["remote"]
    assert told == {
        "host": "cluster",
        "removed": [str(site.remote / third), *map(str, made)],
        "kept": {},
    }
    assert list(artifacts.iterdir()) == []
    assert list(site.remote.glob("*-*")) == []


def test_a_run_with_jobs_in_the_queue_is_not_removed(site: Site) -> None:
    (site.project / "pause").touch()
    file = site.pipeline("chain.yaml", a=repeat("chat", pause=str(site.project / "pause")), b=repeat("a"))
    site.nemotron("pipeline", "run", file, "--batch", "here", "--yes")
    assert "NMT809" in site.nemotron("runs", "remove", "last", "--yes", code=3)
    site.nemotron("runs", "cancel", "last")
    site.wait_for_empty_queue()
    site.nemotron("runs", "remove", "last", "--yes")
    assert site.runs() == []
