"""env.example.toml shows every key, and each of its profiles can be used."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nemotron.hardware.gpu_table import gpu_kind
from nemotron.libraries.spec import load
from nemotron.profiles.find import env_files, tables
from nemotron.profiles.load import load_profile
from nemotron.profiles.profile import Settings

EXAMPLE = Path(__file__).resolve().parents[2] / "env.example.toml"
NAMES = sorted(tables(EXAMPLE))


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_of_each_profile_loads(name: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEMOTRON_ENV_FILE", raising=False)
    shutil.copy(EXAMPLE, project / "env.toml")
    found = load_profile(name)
    assert found.gpu is None or gpu_kind(found.gpu)
    assert [load(library).name for library in found.libraries or ()] == list(found.libraries or ())


def test_no_key_of_a_profile_is_missing() -> None:
    shown = set().union(*tables(EXAMPLE).values())
    assert shown == set(Settings.model_fields)


def test_it_is_not_read_itself(project: Path) -> None:
    shutil.copy(EXAMPLE, project / EXAMPLE.name)
    assert env_files() == []
