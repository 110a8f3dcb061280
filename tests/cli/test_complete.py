"""Shell completion, as a shell asks for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from catalogs.helpers import Nemotron


def completed(nemotron: Nemotron, *words: str, **env: str) -> list[str]:
    """What bash would offer for the last of the words."""
    asked = {"_NEMOTRON_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(["nemotron", *words])}
    ended = nemotron(env={**asked, "COMP_CWORD": str(len(words)), **env})
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout.split()


@pytest.mark.usefixtures("fake_steps")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("steps", "run", "test/"), ["test/breaks", "test/sign", "test/trainer", "test/word_count"]),
        (("steps", "show", "test/wo"), ["test/word_count"]),
        (("steps", "new-config", "sft/a"), ["sft/automodel"]),
        (("steps", "run", "test/word_count", "-c", ""), ["default", "letters"]),
        (("steps", "run", "word_count", "--config", "le"), ["letters"]),
        (("steps", "run", "no/such/step", "-c", ""), []),
        (("steps", "list", "--consumes", "training"), ["training_jsonl"]),
        (("library", "install", "auto"), ["automodel"]),
        (("steps", "ru"), ["run"]),
    ],
)
def test_ids_configs_types_and_libraries_are_offered(
    nemotron: Nemotron, words: tuple[str, ...], offered: list[str]
) -> None:
    assert completed(nemotron, *words) == offered


def test_profiles_are_offered(nemotron: Nemotron, project: Path) -> None:
    (project / "env.toml").write_text("[cluster]\n[cloud]\n[local]\n", encoding="utf-8")
    assert completed(nemotron, "env", "show", "cl") == ["cluster", "cloud"]
    assert completed(nemotron, "steps", "run", "test/word_count", "--batch", "lo") == ["local"]
    (project / "env.toml").write_text("[cluster", encoding="utf-8")
    assert completed(nemotron, "env", "show", "cl") == []


def test_a_catalog_that_cannot_be_read_offers_nothing_and_says_nothing(nemotron: Nemotron) -> None:
    broken = {"NEMOTRON_STEPS_PATH": "/no/such/folder"}
    assert completed(nemotron, "steps", "run", "", **broken) == []
    assert completed(nemotron, "steps", "list", "--produces", "", **broken) == []
