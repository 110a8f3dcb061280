"""What these tests share: a file of profiles in an empty project."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

WriteEnv = Callable[..., Path]


@pytest.fixture
def env(project: Path, monkeypatch: pytest.MonkeyPatch) -> WriteEnv:
    """Write a file of profiles: `env("[here]", "env.one.toml")`."""
    monkeypatch.delenv("NEMOTRON_ENV_FILE", raising=False)

    def write(text: str, name: str = "env.toml") -> Path:
        file = project / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    return write
