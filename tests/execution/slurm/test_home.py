"""What became of a run on a cluster is told right: after failures, cancelling, and time away."""

from __future__ import annotations

import json

from execution.slurm.conftest import Site, join, repeat


def test_a_failing_branch_stops_what_needs_it_and_resume_runs_the_rest(site: Site) -> None:
    site.pipeline(
        "branches.yaml",
        top=repeat("chat"),
        bad={
            "step": "test/word_count",
            "inputs": {"training_jsonl": "top"},
            "set": {"pause": str(site.project / "not-there")},
        },
        good=repeat("top", times=3),
        end=join("good", "top"),
    )
    (site.project / "not-there").mkdir()  # reading it fails
    printed = site.nemotron("pipeline", "run", "branches.yaml", "--run", "far", "--yes", code=1)
    assert "IsADirectoryError" in printed
    assert site.status(code=1) == {"top": "done", "bad": "failed", "good": "done", "end": "done"}
    (site.project / "not-there").rmdir()
    (site.project / "not-there").write_text("go on", encoding="utf-8")
    printed = site.nemotron("runs", "resume", "last", "--yes")
    assert "1 job of" in printed
    assert site.status(code=0)["bad"] == "done"
    (run,) = site.runs()
    assert [len(list((run / step).glob("*/result.json"))) for step in ("top", "bad", "good", "end")] == [
        1,
        2,
        1,
        1,
    ]


def test_what_needs_a_failed_step_is_not_run(site: Site) -> None:
    file = site.pipeline("chain.yaml", a=repeat("chat", fails=True), b=repeat("a"), c=repeat("b"))
    printed = site.nemotron("pipeline", "run", file, "--run", "here", "--yes", code=1)
    assert "NMT801" in site.nemotron("runs", "show", "last")
    assert "runs resume" in printed
    assert site.status() == {"a": "failed", "b": "not run", "c": "not run"}
    assert "this link is broken" in site.nemotron("runs", "logs", "last", "a")


def test_cancelling_ends_what_runs_and_what_waits(site: Site) -> None:
    (site.project / "pause").touch()
    file = site.pipeline("chain.yaml", a=repeat("chat", pause=str(site.project / "pause")), b=repeat("a"))
    site.nemotron("pipeline", "run", file, "--batch", "far", "--yes")
    site.wait(lambda: site.status() == {"a": "running", "b": "waiting"}, "running job")
    refused = site.nemotron("runs", "resume", "last", "--yes", code=3)
    assert "NMT656" in refused
    assert "Ended 2 jobs" in site.nemotron("runs", "cancel", "last")
    site.wait_for_empty_queue()
    assert site.status(code=3) == {"a": "interrupted", "b": "not run"}
    assert "nothing was ended" in site.nemotron("runs", "cancel", "last")
    (site.project / "pause").write_text("go on", encoding="utf-8")
    site.nemotron("runs", "resume", "last", "--yes")
    assert site.status(code=0) == {"a": "done", "b": "done"}


def test_a_host_that_is_away_while_somebody_asks_is_exit_code_4_and_nothing_is_lost(site: Site) -> None:
    site.nemotron("steps", "run", "test/word_count", "data=chat.jsonl", "--batch", "far", "--yes")
    site.cluster.stop_sshd()
    try:
        printed = site.nemotron("runs", "status", "last", code=4)
        assert "NMT650" in printed
        site.wait_for_empty_queue()
    finally:
        site.cluster.start_sshd()
    assert site.status(code=0) == {"test-word_count": "done"}


def test_a_scheduler_that_is_away_is_told_as_that(site: Site) -> None:
    site.nemotron("steps", "run", "test/word_count", "data=chat.jsonl", "--run", "here", "--yes")
    conf = site.project / "slurm.conf"
    text = site.cluster.conf.read_text(encoding="utf-8")
    conf.write_text(text.replace("SlurmctldPort=", "MessageTimeout=2\nSlurmctldPort=1"), encoding="utf-8")
    printed = site.nemotron("runs", "status", "last", code=4, SLURM_CONF=str(conf))
    assert "NMT651" in printed
    assert "the command that failed: squeue" in printed


def test_tar_carries_what_rsync_would(site: Site) -> None:
    tools = site.project / "tools"
    tools.mkdir()
    (tools / "rsync").write_text("#!/bin/sh\necho 'bash: line 1: rsync: command not found' >&2\nexit 127\n")
    (tools / "rsync").chmod(0o755)
    path = f"{tools}:{site.environment['PATH']}"
    arguments = ("steps", "run", "test/word_count", "data=chat.jsonl", "--run", "far", "--yes")
    assert "counted 3 records" in site.nemotron(*arguments, PATH=path)
    (run,) = site.runs()
    attempt = run / "test-word_count" / "1"
    names = {file.name for file in attempt.iterdir()}
    assert {"log", "progress.jsonl", "result.json", "records", "command.json"} <= names
    assert json.loads((attempt / "result.json").read_text(encoding="utf-8"))["status"] == "done"
