"""Profiles for tests: made on the spot, or written into a project's env.toml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from small import write

from nemotron.profiles.profile import Profile

REMOTE = {"executor": "slurm", "host": "login", "remote_job_dir": "/shared/me", "python": "/opt/bin/python"}


def profile(**keys: Any) -> Profile:
    """A profile of this machine, unless the keys say otherwise."""
    return Profile(name="p", file=Path("env.toml"), **keys)


def cluster(**keys: Any) -> Profile:
    """A profile of Slurm at a host named login."""
    return profile(**{**REMOTE, **keys})


def env_toml(folder: Path, text: str) -> Path:
    return write(folder / "env.toml", text)
