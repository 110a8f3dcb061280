"""`nemotron pipeline plan`: the file that it writes, the answer for people and programs, exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from at_hand import at_hand
from small import SmallCatalog, failure, write

from nemotron.cli.app import app
from nemotron.diagnostic import Failure

__all__ = ["at_hand"]
ADAPTER = ["--have", "chat.jsonl", "--have", "base", "--want", "checkpoint_lora", "--gpus", "2"]
FIELDS = {
    "version",
    "want",
    "decision",
    "steps",
    "why",
    "required_inputs",
    "commands",
    "avoid",
    "haves",
    "read",
    "warnings",
    "file",
    "pipeline",
    "exit_code",
    "diagnostics",
}

COUNTS = """
    [[consumes]]
    type = "training_jsonl"
    at = "chat"
    [[produces]]
    type = "eval_results"
    at = "output_dir"
    [[strategies]]
    when = "Always."
    then = "Count."
    context = "counting"
"""
COUNTING = """
    [packs.counting]
    topic = "counting of words"
    file = "counting.md"
    steps = ["data_prep/count"]
"""


def run(*arguments: str) -> int:
    """`nemotron pipeline …` in this process, and its exit code."""
    code: Any = app(["pipeline", *arguments], standalone_mode=False)
    return int(code or 0)


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """What `nemotron pipeline plan … --json` prints, which is one document with its own exit code."""
    code = run("plan", *arguments, "--json")
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert told["exit_code"] == code
    return told


@pytest.mark.usefixtures("at_hand")
def test_a_plan_is_one_json_document(capsys: pytest.CaptureFixture[str]) -> None:
    told = document(capsys, *ADAPTER)
    assert told.keys() == FIELDS
    assert (told["version"], told["exit_code"]) == (1, 0)
    assert told["decision"] == ["peft/automodel"]
    (step,) = told["steps"]
    assert step["inputs"] == {"training_jsonl": "chat", "base": "base"}
    assert {have["name"]: have["type"] for have in told["haves"]} == {
        "chat": "training_jsonl",
        "base": "checkpoint_hf",
    }
    assert all("pipeline.yaml" in each["command"] for each in told["commands"])
    assert told["commands"][0]["tier"] == "repo"
    assert told["avoid"][0]["steps"] == ["data_prep/sft_packing", "peft/megatron_bridge"]
    assert told["required_inputs"] == told["diagnostics"] == told["warnings"] == []
    assert [Path(page).name for page in told["read"]] == ["automodel-tuning.md"]
    assert told["file"] is None


def test_the_file_is_written_and_checks(at_hand: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = document(capsys, *ADAPTER, "-o", "pipeline.yaml")
    written = (at_hand / "pipeline.yaml").read_text(encoding="utf-8")
    assert (told["file"], written) == ("pipeline.yaml", told["pipeline"])
    assert run("check", "pipeline.yaml", "--json") in (0, 3)
    checked = json.loads(capsys.readouterr().out)
    assert "error" not in {problem["severity"] for problem in checked["diagnostics"]}


def test_a_file_is_not_replaced_without_force(at_hand: Path) -> None:
    file = at_hand / "pipeline.yaml"
    file.write_text("mine\n", encoding="utf-8")
    found = failure(lambda: run("plan", *ADAPTER, "-o", "pipeline.yaml"))
    assert (found.code, found.summary) == ("NMT275", "pipeline.yaml is there already")
    assert file.read_text(encoding="utf-8") == "mine\n"
    assert run("plan", *ADAPTER, "-o", "pipeline.yaml", "--force") == 0
    assert "# From chat, base to checkpoint_lora." in file.read_text(encoding="utf-8")


def test_the_file_tells_an_editor_its_schema(at_hand: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document(capsys, *ADAPTER, "-o", "pipeline.yaml")
    first, *_ = (at_hand / "pipeline.yaml").read_text(encoding="utf-8").splitlines()
    kind, _, schema = first.partition("$schema=")
    assert kind == "# yaml-language-server: "
    assert json.loads((at_hand / schema).read_text(encoding="utf-8"))["title"]


@pytest.mark.usefixtures("at_hand")
def test_the_text_goes_to_stdout_and_the_answer_beside_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plan", *ADAPTER) == 0
    told = capsys.readouterr()
    assert "\nwant: checkpoint_lora\n" in told.out
    titles = [line[:16].strip() for line in told.err.splitlines() if line[:1].isalpha()]
    expected = ["Decision", "Why", "At hand", "Required inputs", "Commands", "Avoid", "Read", "Next step"]
    assert titles == expected
    assert len(told.err.splitlines()) <= 24


def test_what_must_be_told_blocks_and_is_left_open(at_hand: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wish = ["--have", "raw_jsonl=web.jsonl", "--want", "filtered_jsonl", "-o", "pipeline.yaml"]
    told = document(capsys, *wish)
    assert told["exit_code"] == 3
    (asked,) = told["required_inputs"]
    assert asked["key"] == "curate.models.fasttext_langid"
    assert [problem["code"] for problem in told["diagnostics"]] == ["NMT208"]
    assert "models.fasttext_langid: ???" in (at_hand / "pipeline.yaml").read_text(encoding="utf-8")


@pytest.mark.usefixtures("at_hand")
def test_a_key_that_is_set_is_asked_no_more(capsys: pytest.CaptureFixture[str]) -> None:
    wish = ["--have", "raw_jsonl=web.jsonl", "--want", "filtered_jsonl"]
    told = document(capsys, *wish, "--set", "curate.models.fasttext_langid=null")
    assert (told["required_inputs"], told["exit_code"]) == ([], 0)
    assert "models.fasttext_langid: null  # your word" in told["pipeline"]


@pytest.mark.usefixtures("at_hand")
def test_a_have_that_is_not_used_blocks(capsys: pytest.CaptureFixture[str]) -> None:
    told = document(capsys, *ADAPTER, "--have", "questions.parquet")
    assert told["exit_code"] == 3
    assert [problem["code"] for problem in told["diagnostics"]] == ["NMT281"]


@pytest.mark.usefixtures("at_hand")
@pytest.mark.parametrize(
    ("arguments", "code", "exit_code", "fix"),
    [
        (["--have", "base"], "NMT200", 2, "--want checkpoint_hf"),
        (["--have", "base", "--want", "checkpoint_hff"], "NMT105", 2, "did you mean 'checkpoint_hf'?"),
        (["--have", "x:checkpoint=base", "--want", "checkpoint_hf"], "NMT105", 2, ""),
        (["--have", "bass", "--want", "checkpoint_hf"], "NMT213", 2, ""),
        (["--have", "web.jsonl", "--want", "benchmark_source_corpus"], "NMT280", 2, "near it"),
        (["--have", "chat.jsonl", "--want", "checkpoint_lora"], "NMT285", 3, "add what is missing"),
        ([*ADAPTER, "--gpu", "h2000"], "NMT284", 2, "did you mean 'h200'?"),
        ([*ADAPTER, "--through", "peft/automodl"], "NMT110", 2, "did you mean 'peft/automodel'?"),
        ([*ADAPTER, "--set", "pfet.seed=1"], "NMT271", 2, "did you mean 'peft'?"),
        ([*ADAPTER, "--set", "seed=1"], "NMT205", 2, "--set sft.optimizer.lr=1e-5"),
        ([*ADAPTER, "--have", "base:checkpoint_hf=tuned"], "NMT273", 2, "--have OTHER"),
    ],
)
def test_a_wrong_request_is_reported(arguments: list[str], code: str, exit_code: int, fix: str) -> None:
    with pytest.raises(Failure) as caught:
        run("plan", *arguments)
    (found,) = caught.value.diagnostics
    assert (found.code, caught.value.exit_code) == (code, exit_code)
    assert found.fix.startswith(fix)


@pytest.mark.usefixtures("at_hand")
def test_a_key_that_no_config_has_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    told = document(capsys, *ADAPTER, "--set", "peft.optimizer.learning_rate=1e-5")
    assert told["exit_code"] == 2
    assert told["steps"][0]["tier"].startswith("wrong: ")
    assert [problem["severity"] for problem in told["diagnostics"]] == ["error"]


def test_a_path_below_another_folder_is_read_back(at_hand: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Paths in the file count from the folder that it lies in."""
    (at_hand / "plans").mkdir()
    document(capsys, *ADAPTER, "-o", "plans/adapter.yaml")
    assert run("check", "plans/adapter.yaml", "--json") in (0, 3)
    checked = json.loads(capsys.readouterr().out)
    assert "error" not in {problem["severity"] for problem in checked["diagnostics"]}


@pytest.mark.usefixtures("at_hand")
def test_a_step_that_names_a_pack_that_is_not_there_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = SmallCatalog(tmp_path / "team")
    steps.step("data_prep/count", COUNTS, default="chat: ???\noutput_dir: null\n")
    monkeypatch.setenv("NEMOTRON_STEPS_PATH", str(steps.root))
    wish = ["--have", "chat.jsonl", "--want", "eval_results"]
    warning = "WARNING: counting of words docs unavailable"
    assert document(capsys, *wish)["warnings"] == ["WARNING: counting docs unavailable"]
    write(tmp_path / "references" / "context" / "index.toml", COUNTING)
    assert run("plan", *wish) == 0
    assert capsys.readouterr().err.splitlines()[-1] == warning
