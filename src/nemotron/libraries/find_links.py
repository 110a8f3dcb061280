"""Where this user's pip and uv look for wheels besides an index. Asks pip, reads the environment."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_SETTING = re.compile(r"^(?:global|install|:env:)\.find-links=(.+)$", re.MULTILINE)
_TIMEOUT_SECONDS = 30


def find_links() -> list[str]:
    """The folders and pages of uv's and pip's `find-links` settings, uv's first; each once."""
    own = os.environ.get("UV_FIND_LINKS", "").split(",")
    from_pip = parse_pip_config(_pip_config()) or os.environ.get("PIP_FIND_LINKS", "").split()
    return list(dict.fromkeys(_absolute(place.strip()) for place in [*own, *from_pip] if place.strip()))


def parse_pip_config(text: str) -> list[str]:
    """The find-links in what `pip config list` prints: one `name='value'` a line, as Python writes it."""
    values = []
    for written in _SETTING.findall(text):
        try:
            value = ast.literal_eval(written)
        except (ValueError, SyntaxError):
            continue
        values += str(value).split()
    return values


def _absolute(place: str) -> str:
    """A folder as it is named from everywhere; an address stays as it is."""
    return place if ":" in place else str(Path(place).expanduser().absolute())


def _pip_config() -> str:
    """What the first pip that answers says of its settings: the one of this Python may be absent."""
    for argv in _pips():
        try:
            answer = subprocess.run(
                [*argv, "config", "list"], capture_output=True, text=True, timeout=_TIMEOUT_SECONDS
            )
        except (OSError, subprocess.SubprocessError):
            continue
        if answer.returncode == 0:
            return answer.stdout
    return ""


def _pips() -> Iterator[list[str]]:
    for python in dict.fromkeys([sys.executable, getattr(sys, "_base_executable", sys.executable)]):
        yield [python, "-m", "pip"]
    for name in ("python3", "pip3", "pip"):
        if program := shutil.which(name):
            yield [program, "-m", "pip"] if name == "python3" else [program]
