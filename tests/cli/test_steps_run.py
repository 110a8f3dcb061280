"""`nemotron steps run`: what is shown, what is run, what is said at the end."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from catalogs.helpers import Nemotron, attempts, start_nemotron, tree_of, wait_for, write_chat

from nemotron.cli.output import short_path

COUNT = ("steps", "run", "test/word_count", "data=chat.jsonl")


def counts_in(folder: Path) -> dict[str, int]:
    counts: dict[str, int] = json.loads((folder / "counts.json").read_text(encoding="utf-8"))
    return counts


def test_a_run_shows_its_plan_the_log_progress_and_what_it_made(
    nemotron: Nemotron, chat: Path, project: Path, fake_steps: Path
) -> None:
    ended = nemotron(*COUNT, "output=out")
    assert ended.returncode == 0
    shown = ended.stderr.splitlines()
    config = fake_steps / "test" / "word_count" / "config" / "default.yaml"
    assert shown[:5] == [
        "test/word_count on the CPU",
        f"  config   {short_path(config)}",
        "  library  nemotron's own Python",
        "  input    training_jsonl: chat.jsonl",
        "  output   out",
    ]
    program = short_path(fake_steps / "test" / "word_count" / "step.py")
    assert shown[5].startswith(f"  command  {short_path(sys.executable)} {program} --config ")
    assert shown[6] == f"  log      {attempts(project)[0].relative_to(project)}/log"
    assert set(shown[7:]) == {"counted 3 records", "record 3/3 · loss 0.3333 · 1,234 tokens/s"} | set(
        shown[7:-1]
    )
    assert ended.stdout.splitlines()[1:] == ["  counts  out"]
    assert json.loads((project / "out" / "counts.json").read_text(encoding="utf-8")) == {
        "user": 9,
        "assistant": 6,
    }


def test_with_json_stdout_is_one_document(nemotron: Nemotron, chat: Path, project: Path) -> None:
    ended = nemotron(*COUNT, "output=out", "--json")
    told = json.loads(ended.stdout)
    assert (told["version"], told["status"], told["exit_code"], told["diagnostics"]) == (1, "done", 0, [])
    artifact = told["artifacts"][0]
    assert (artifact["port"], artifact["path"]) == ("counts", str(project / "out"))
    assert artifact["facts"] == {"documents": 3, "language": "en"}
    assert Path(told["log"]).read_text(encoding="utf-8") == "counted 3 records\n"
    assert told["run"] in told["log"]


def test_the_same_again_is_skipped_and_says_why(nemotron: Nemotron, chat: Path, project: Path) -> None:
    first = json.loads(nemotron(*COUNT, "--json").stdout)
    before = tree_of(project)
    ended = nemotron(*COUNT, "note=only a note", "--json")
    told = json.loads(ended.stdout)
    assert (told["status"], told["exit_code"], told["finished"]) == ("skipped", 0, True)
    assert told["artifacts"] == first["artifacts"]
    assert f"Skipped: run {first['run']} made this from the same config and inputs." in ended.stderr
    assert tree_of(project) == before
    assert len(attempts(project)) == 1


def test_what_is_finished_runs_again_when_it_is_forced(nemotron: Nemotron, chat: Path, project: Path) -> None:
    first = json.loads(nemotron(*COUNT, "output=out", "--json").stdout)
    (project / "out" / "counts.json").write_text("{}", encoding="utf-8")
    foreseen = nemotron(*COUNT, "output=out", "--force", "--dry-run")
    assert (foreseen.returncode, len(attempts(project))) == (0, 1)
    ended = nemotron(*COUNT, "output=out", "--force", "--json")
    told = json.loads(ended.stdout)
    assert (told["status"], told["forced"], first["forced"]) == ("done", True, False)
    assert counts_in(project / "out") == {"user": 9, "assistant": 6}
    (kept,) = project.glob("out.replaced-*")
    assert f"  kept     {kept.name} (what was there before)" in ended.stderr
    assert counts_in(kept) == {}
    assert "it does not run again without --force" in nemotron(*COUNT, "output=out", "--dry-run").stderr


def test_a_change_is_run_and_named(nemotron: Nemotron, chat: Path) -> None:
    nemotron(*COUNT)
    write_chat(chat, 4)
    ended = nemotron(*COUNT, "-c", "letters")
    assert ended.returncode == 0
    assert "  changed  data, unit (since the last finished run of this step)" in ended.stderr


def test_a_dry_run_shows_everything_and_runs_nothing(nemotron: Nemotron, chat: Path, project: Path) -> None:
    before = tree_of(project)
    ended = nemotron(*COUNT, "--dry-run")
    assert (ended.returncode, ended.stdout) == (0, "The dry run passed: nothing was run.\n")
    assert "  output   .nemotron/artifacts/test-word_count-" in ended.stderr
    told = json.loads(nemotron(*COUNT, "--dry-run", "--json").stdout)
    assert (told["dry_run"], told["exit_code"], told["finished"]) == (True, 0, False)
    assert [(one["port"], one["source"]) for one in told["inputs"]] == [("training_jsonl", str(chat))]
    assert tree_of(project) == before
    assert list((project / ".nemotron").iterdir()) == []


def test_strict_takes_warnings_for_errors(nemotron: Nemotron, chat: Path, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    for name, text in {"config.json": "{}", "chat_template.jinja": "x", "model.safetensors": "x"}.items():
        (tmp_path / "model" / name).write_text(text, encoding="utf-8")
    (tmp_path / "model" / "tokenizer.json").write_text("{}", encoding="utf-8")
    model = f"model.pretrained_model_name_or_path={tmp_path / 'model'}"
    slip = "model._target_=nemo_automodel.NeMoAutoModelForCausalLM.from_pretrainde"
    data = "dataset.path_or_dataset_id=chat.jsonl"
    wish = ("steps", "run", "sft/automodel", "--gpus", "0", "--dry-run", data, model, slip)
    installed = {"NEMOTRON_AUTOMODEL_PYTHON": sys.executable}  # nothing of the library is looked at
    lax, strict = nemotron(*wish, env=installed), nemotron(*wish, "--strict", env=installed)
    assert "warning[NMT221]" in lax.stderr
    assert (lax.returncode, strict.returncode) == (0, 2)


def test_a_config_may_be_a_path_and_overrides_win_over_it(
    nemotron: Nemotron, chat: Path, fake_steps: Path
) -> None:
    defaults = fake_steps / "test" / "word_count" / "config" / "default.yaml"
    (chat.parent / "mine.yaml").write_text(
        f"defaults: {defaults}\nunit: letters\nminimum: 5\n", encoding="utf-8"
    )
    ended = nemotron(*COUNT, "-c", "./mine.yaml", "minimum=1", "output=out")
    assert ended.returncode == 0
    counts = json.loads((chat.parent / "out" / "counts.json").read_text(encoding="utf-8"))
    assert counts == {"user": 33, "assistant": 15}


def test_a_run_in_a_subfolder_keeps_to_the_project_s_store(chat: Path, project: Path) -> None:
    (project / "deep").mkdir()
    running = start_nemotron(
        "steps", "run", "test/word_count", "data=../chat.jsonl", "output=out", cwd="deep"
    )
    assert running.communicate(timeout=60) is not None
    assert running.returncode == 0
    assert (project / "deep" / "out" / "counts.json").is_file()
    assert not (project / "deep" / ".nemotron").exists()
    assert len(attempts(project)) == 1


def test_a_failed_job_shows_every_recovery_and_the_log(
    nemotron: Nemotron, fake_steps: Path, project: Path
) -> None:
    ended = nemotron("steps", "run", "test/breaks", "how=known_errors")
    log = attempts(project)[0].relative_to(project) / "log"
    assert ended.returncode == 1
    assert "error[NMT801]: the job failed with exit code 1" in ended.stderr
    assert (
        "known error 'loose_cable' (log line 3): cable 12 is loose\n   recovery: Push the cable in."
        in ended.stderr
    )
    assert "known error 'wrong_voltage' (log line 5): voltage 110 is wrong" in ended.stderr
    assert "known error 'disk_full' (log line 6)" in ended.stderr
    assert "never_seen" not in ended.stderr
    assert ended.stderr.rstrip().endswith(f"The log: {log}")
    assert ended.stdout == "Failed. The same command runs it again.\n"


def test_a_failure_is_data_too(nemotron: Nemotron, fake_steps: Path, project: Path) -> None:
    ended = nemotron("steps", "run", "test/breaks", "how=known_errors", "--json")
    told = json.loads(ended.stdout)
    assert (ended.returncode, told["exit_code"], told["status"], told["artifacts"]) == (1, 1, "failed", [])
    assert [recovery["id"] for recovery in told["recoveries"]] == [
        "loose_cable",
        "wrong_voltage",
        "disk_full",
    ]
    assert [problem["code"] for problem in told["diagnostics"]] == ["NMT801"]
    assert Path(told["log"]).is_file()


@pytest.mark.parametrize(("how", "code"), [("is_killed", "NMT501"), ("says_nothing", "NMT802")])
def test_a_job_that_is_killed_or_says_nothing_has_failed(
    nemotron: Nemotron, fake_steps: Path, how: str, code: str
) -> None:
    ended = nemotron("steps", "run", "test/breaks", f"how={how}")
    assert ended.returncode == 1
    assert f"error[{code}]" in ended.stderr


def test_a_quiet_run_does_not_show_the_log(nemotron: Nemotron, chat: Path) -> None:
    ended = nemotron(*COUNT, "--quiet")
    assert "counted" not in ended.stderr
    assert "record 3/3" in ended.stderr


def test_numbers_and_words_reach_the_job_as_they_were_written(
    nemotron: Nemotron, chat: Path, project: Path
) -> None:
    written = {
        "a": "no",
        "b": "1e-5",
        "c": "'1e-5'",
        "d": "0o17",
        "e": "2026-01-01",
        "f": "null",
        "g": "[1, x]",
    }
    assert nemotron(*COUNT, "-c", "default", *(f"note.{k}={v}" for k, v in written.items())).returncode == 0
    config = yaml.safe_load((attempts(project)[0] / "config.yaml").read_text(encoding="utf-8"))
    assert config["note"] == {
        "a": "no",
        "b": 1e-5,
        "c": "1e-5",
        "d": 15,
        "e": "2026-01-01",
        "f": None,
        "g": [1, "x"],
    }


def on_terminal(*arguments: str) -> str:
    """What a terminal of 80 columns receives while a command runs."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    environment.pop("NO_COLOR", None)
    argv = [sys.executable, "-m", "nemotron", *arguments]
    with subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as running:
        os.close(theirs)
        received = b""
        while block := read_terminal(ours):
            received += block
    os.close(ours)
    assert running.returncode == 0
    return received.decode()


def read_terminal(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # EIO: the other side is closed
        return b""


def test_on_a_terminal_progress_is_a_line_that_is_redrawn(chat: Path, project: Path) -> None:
    received = on_terminal(*COUNT)
    assert "\r\x1b[K" + "━" * 24 + " record 3/3 · loss 0.3333 · 1,234 tokens/s\r\n" in received
    assert "counted 3 records\r\n" in received


def test_two_runs_of_one_request_at_once_are_one_run(nemotron: Nemotron, chat: Path, project: Path) -> None:
    (project / "pause").touch()
    first = start_nemotron(*COUNT, "pause=pause")
    wait_for(lambda: [a for a in attempts(project) if (a / "progress.jsonl").exists()], "running job")
    second = nemotron(*COUNT, "pause=pause", "--json")
    (project / "pause").write_text("go on")
    assert second.returncode == 3
    problem = json.loads(second.stdout)["diagnostics"][0]
    assert problem["code"] == "NMT806"
    assert str(first.pid) in problem["fix"]
    first.communicate(timeout=60)
    assert first.returncode == 0
    assert json.loads(nemotron(*COUNT, "pause=pause", "--json").stdout)["status"] == "skipped"
    assert len(attempts(project)) == 1
