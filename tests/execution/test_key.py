"""The key of a request: equal for what must give the same outputs, different for everything else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from catalogs.helpers import FAKE, request_for, run_step, write_chat

from nemotron.execution.key import ingredients, key_of, what_changed


def key(
    *overrides: str, step: str = "test/word_count", config: str = "default", gpus: int | None = None
) -> str:
    return key_of(ingredients(request_for(step, *overrides, config=config, gpus=gpus), "environment"))


def test_the_same_request_has_the_same_key(chat: Path) -> None:
    assert key("data=chat.jsonl") == key("data=chat.jsonl")


@pytest.mark.parametrize("override", ["note=something", "output=out", "output=some/where", "output=/tmp/x"])
def test_what_does_not_change_the_outputs_is_not_in_the_key(chat: Path, override: str) -> None:
    assert key("data=chat.jsonl", override) == key("data=chat.jsonl")


def test_the_number_of_gpus_is_not_in_the_key(chat: Path) -> None:
    assert key("data=chat.jsonl", gpus=4) == key("data=chat.jsonl", gpus=1)


@pytest.mark.parametrize("override", ["unit=letters", "minimum=2", "language=de", "extra.key=1"])
def test_every_other_value_is(chat: Path, override: str) -> None:
    assert key("data=chat.jsonl", override) != key("data=chat.jsonl")


def test_how_a_value_was_given_is_not(chat: Path) -> None:
    assert key("data=chat.jsonl", "unit=letters") == key("data=chat.jsonl", config="letters")


def test_an_input_counts_by_its_content_under_its_name(chat: Path) -> None:
    (chat.parent / "elsewhere").mkdir()
    copy = chat.parent / "elsewhere" / chat.name
    shutil.copy(chat, copy)
    assert key(f"data={copy}") == key("data=chat.jsonl")
    write_chat(copy, 4)
    assert key(f"data={copy}") != key("data=chat.jsonl")


def test_the_files_of_a_wildcard_all_count(chat: Path) -> None:
    write_chat(chat.parent / "more.jsonl", 2)
    before = key("data=*.jsonl")
    write_chat(chat.parent / "more.jsonl", 5)
    assert key("data=*.jsonl") != before


def test_the_version_of_the_step_and_the_environment_count(
    chat: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = ingredients(request_for("test/word_count", "data=chat.jsonl"), "one lock")
    assert key_of(now) != key_of(ingredients(request_for("test/word_count", "data=chat.jsonl"), "another"))
    shutil.copytree(FAKE, tmp_path / "steps")
    manifest = tmp_path / "steps" / "test" / "word_count" / "step.toml"
    manifest.write_text(manifest.read_text().replace("version = 1", "version = 2"), encoding="utf-8")
    monkeypatch.setenv("NEMOTRON_STEPS_PATH", str(tmp_path / "steps"))
    later = ingredients(request_for("test/word_count", "data=chat.jsonl"), "one lock")
    assert key_of(later) != key_of(now)
    assert what_changed(now, later) == ["version"]


def test_a_secret_counts_by_its_name(chat: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNING_TOKEN", "one")
    before = key("data=chat.jsonl", step="test/sign")
    monkeypatch.setenv("SIGNING_TOKEN", "two")
    assert key("data=chat.jsonl", step="test/sign") == before


def test_an_artifact_counts_by_the_digest_of_its_record(chat: Path) -> None:
    made = run_step("test/trainer", "data=chat.jsonl")[0].made[0]
    parts = ingredients(request_for("test/word_count", f"data={made.path}"), "environment")
    assert parts["config"]["data"] == made.record.digest


def test_what_changed_names_values_that_differ_came_or_went(chat: Path) -> None:
    before = ingredients(request_for("test/word_count", "data=chat.jsonl", "old.key=1"), "environment")
    now = ingredients(
        request_for("test/word_count", "data=chat.jsonl", "minimum=3", "new.key=[1,2]"), "newer"
    )
    told = json.loads(json.dumps(before))
    assert what_changed(told, now) == ["environment", "minimum", "new.key.0", "new.key.1", "old.key"]
    assert what_changed(json.loads(json.dumps(now)), now) == []
