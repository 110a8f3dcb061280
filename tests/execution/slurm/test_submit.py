"""A whole run is handed to a real Slurm: all of its jobs or none, and no secret with them."""

from __future__ import annotations

import json
import os
import signal
import stat
from pathlib import Path

from execution.slurm.conftest import Site, join, repeat

SECRET = "correct-horse-9fK2-battery-staple"  # looks like none, so that nothing but care keeps it out


def test_one_step_runs_over_ssh_and_the_command_stays_until_its_end(site: Site) -> None:
    printed = site.nemotron("steps", "run", "test/word_count", "data=chat.jsonl", "--run", "far", "--yes")
    assert "1 job of 1 node × 00:10:00" in printed
    assert "counted 3 records" in printed
    (run,) = site.runs()
    result = json.loads((run / "test-word_count" / "1" / "result.json").read_text(encoding="utf-8"))
    made = Path(result["outputs"][0]["path"])
    assert made.is_relative_to(site.remote / "artifacts")
    assert json.loads((made / "counts.json").read_text(encoding="utf-8")) == {"user": 9, "assistant": 6}
    record = json.loads((run / "test-word_count" / "1" / "records" / "counts.json").read_text())
    assert record["facts"] == {"documents": 3, "language": "en"}
    assert record["producer"]["run"] == run.name
    assert "counts.json" in [entry["path"] for entry in record["files"]]
    assert record == json.loads((made / "artifact.json").read_text(encoding="utf-8"))
    assert "word_count" in site.nemotron("runs", "report", "last", "-o", "report.html") + (
        site.project / "report.html"
    ).read_text(encoding="utf-8")


def test_a_diamond_is_ordered_by_the_cluster_and_is_not_run_twice(site: Site) -> None:
    file = site.pipeline(
        "diamond.yaml",
        top=repeat("chat"),
        left=repeat("top"),
        right=repeat("top", times=3),
        end=join("left", "right"),
    )
    assert "runs status" in site.nemotron("pipeline", "run", file, "--batch", "here", "--yes")
    site.wait_for_empty_queue()
    assert site.status(code=0) == dict.fromkeys(("top", "left", "right", "end"), "done")
    records = next(site.remote.glob("artifacts/link-join-*/records.jsonl"))
    assert len(records.read_text(encoding="utf-8").splitlines()) == 3 * 2 * (2 + 3)
    before = records.stat().st_mtime_ns
    site.nemotron("pipeline", "run", file, "--run", "here", "--yes")
    assert set(site.status(code=0).values()) == {"skipped"}
    assert records.stat().st_mtime_ns == before


def test_two_pipelines_at_once_do_not_meet(site: Site) -> None:
    files = [
        site.pipeline(f"{name}.yaml", a=repeat("chat", times=times), b=repeat("a"))
        for name, times in (("one", 4), ("two", 5))
    ]
    started = [site.start("pipeline", "run", file, "--run", "far", "--yes") for file in files]
    for process in started:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    one, two = (run.name for run in site.runs())
    assert site.status(one) == site.status(two) == {"a": "done", "b": "done"}
    sizes = {len(f.read_text().splitlines()) for f in site.remote.glob("artifacts/*/records.jsonl")}
    assert sizes == {12, 15, 24, 30}


def test_a_wrong_partition_leaves_nothing_in_the_queue(site: Site) -> None:
    file = site.pipeline("two.yaml", a=repeat("chat"), b={**repeat("a"), "profile": "nowhere"})
    printed = site.nemotron("pipeline", "run", file, "--batch", "far", "--yes", code=2)
    assert "NMT653" in printed
    assert "invalid partition" in printed.lower()
    assert (site.cluster.jobs(), site.runs(), list(site.remote.glob("2*"))) == ({}, [], [])


def test_nothing_is_submitted_that_nobody_confirmed(site: Site) -> None:
    printed = site.nemotron("steps", "run", "test/word_count", "data=chat.jsonl", "--batch", "here", code=3)
    assert "NMT654" in printed
    assert (site.cluster.jobs(), site.runs()) == ({}, [])


def test_a_connection_that_drops_during_the_submission_takes_every_job_back(site: Site) -> None:
    steps = {f"s{number}": repeat("chat", times=number) for number in range(1, 26)}
    file = site.pipeline("many.yaml", **steps)
    process = site.start("pipeline", "run", file, "--batch", "far", "--yes")
    wait_for_its_middle(site)
    site.cluster.cut_connections()
    site.cluster.continue_scheduler()
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, "NMT650" in errors) == (4, True), errors
    site.wait_for_empty_queue()
    assert list(site.remote.glob("*/*/*/result.json")) == []


def test_a_host_that_goes_down_during_the_submission_leaves_held_jobs_that_resume_replaces(
    site: Site,
) -> None:
    steps = {f"s{number}": repeat("chat", times=number) for number in range(1, 26)}
    file = site.pipeline("many.yaml", **steps)
    process = site.start("pipeline", "run", file, "--batch", "far", "--yes")
    wait_for_its_middle(site)
    site.cluster.kill_sessions()
    site.cluster.continue_scheduler()
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, "runs resume" in errors) == (4, True), errors
    assert set(site.cluster.jobs().values()) == {"PENDING"}
    printed = site.nemotron("runs", "status", "last", code=3)
    assert "the submission was cut off" in printed
    site.nemotron("runs", "resume", "last", "--yes", "--quiet")
    assert set(site.status(code=0).values()) == {"done"}


def test_a_host_that_is_not_there_is_exit_code_4(site: Site) -> None:
    site.cluster.stop_sshd()
    try:
        printed = site.nemotron(
            "steps", "run", "test/word_count", "data=chat.jsonl", "--batch", "far", "--yes", code=4
        )
    finally:
        site.cluster.start_sshd()
    assert "Connection refused" in printed
    assert "the command that failed: rsync" in printed


def test_a_secret_reaches_the_job_and_stands_nowhere(site: Site) -> None:
    printed = site.nemotron(
        "steps", "run", "test/sign", "data=chat.jsonl", "--run", "secret", "--yes", SIGNING_TOKEN=SECRET
    )
    assert "done" in printed
    signed = next(site.remote.glob("artifacts/test-sign-*/config.json"))
    other = signed.with_name("environment.json")
    assert signed.read_text(encoding="utf-8") == other.read_text(encoding="utf-8") != "[]"
    assert _holding([site.project, site.remote, site.cluster.folder], SECRET) == []
    assert SECRET not in printed


def test_a_secret_of_a_job_that_waits_is_the_users_alone_and_goes_with_the_job(site: Site) -> None:
    site.nemotron(
        "steps", "run", "test/sign", "data=chat.jsonl", "--batch", "secret", "--yes", SIGNING_TOKEN=SECRET
    )
    secrets = list(site.remote.glob("*/*/*/.secrets"))
    assert [stat.S_IMODE(file.stat().st_mode) for file in secrets] in ([], [0o600])
    site.wait_for_empty_queue()
    site.status()
    assert _holding([site.project, site.remote, site.cluster.folder], SECRET) == []


def test_ctrl_c_leaves_and_the_jobs_go_on(site: Site) -> None:
    (site.project / "pause").touch()
    arguments = ("data=chat.jsonl", f"pause={site.project / 'pause'}", "--run", "far", "--yes")
    process = site.start("steps", "run", "link/repeat", *arguments)
    site.wait(lambda: list(site.project.glob(".nemotron/runs/*/*/1/progress.jsonl")), "progress at home")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, "runs cancel" in errors) == (130, True), errors
    assert site.status(code=3) == {"link-repeat": "running"}
    (site.project / "pause").write_text("go on", encoding="utf-8")
    site.wait_for_empty_queue()
    assert site.status(code=0) == {"link-repeat": "done"}


def wait_for_its_middle(site: Site) -> None:
    """Stop the scheduler when a submission has begun and is not over."""
    site.wait(site.cluster.jobs, "submission that has begun", every=0.0)
    site.cluster.pause_scheduler()


def _holding(folders: list[Path], text: str) -> list[str]:
    """The files below the folders that hold a text, devices and sockets left out."""
    return [
        str(Path(folder, name))
        for top in folders
        for folder, _, names in os.walk(top)
        for name in names
        if Path(folder, name).is_file() and text.encode() in Path(folder, name).read_bytes()
    ]
