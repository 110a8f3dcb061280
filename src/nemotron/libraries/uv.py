"""Finding the program `uv`, and the environment that it is run in. Starts `uv --version`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from nemotron.diagnostic import Failure, blocked

OLDEST = (0, 8, 0)

# Settings of the user's that would change what a lock installs, or where. Indexes, caches, proxies and
# credentials stay as they are; find-links and torch's backend are passed on by hand.
_SET_ASIDE = (
    "UV_BUILD_CONSTRAINT",
    "UV_CONSTRAINT",
    "UV_EXCLUDE",
    "UV_EXCLUDE_NEWER",
    "UV_FIND_LINKS",
    "UV_NO_VERIFY_HASHES",
    "UV_OVERRIDE",
    "UV_PRERELEASE",
    "UV_PYTHON",
    "UV_RESOLUTION",
    "UV_TORCH_BACKEND",
    "UV_VENV_SEED",
    "VIRTUAL_ENV",
)


def program() -> Path:
    """The first uv that answers and is new enough: $UV, on PATH, in ~/.local/bin, beside this Python.

    Failure NMT602, blocked, when there is none.
    """
    too_old: list[str] = []
    for candidate in _candidates():
        version = _version(candidate)
        if version is not None and version >= OLDEST:
            return candidate
        if version is not None:
            too_old.append(f"{candidate} is {_dotted(version)}")
    raise Failure(
        blocked(
            "NMT602",
            f"installing a library needs the program uv, {_dotted(OLDEST)} or newer",
            detail="; ".join(too_old),
            fix="`pipx install uv` or `python3 -m pip install --user uv`, then again; "
            "if it is somewhere unusual, name it: UV=/path/to/uv",
        )
    )


def environment() -> dict[str, str]:
    """This process's environment without what would disturb the installation of a lock."""
    variables = {name: value for name, value in os.environ.items() if name not in _SET_ASIDE}
    return {**variables, "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}


def _candidates() -> Iterator[Path]:
    named = [os.environ.get("UV"), shutil.which("uv")]
    usual = [Path.home() / ".local" / "bin" / "uv", Path(sys.executable).with_name("uv")]
    paths = [Path(path) for path in named if path] + usual
    # Installing happens in another folder.
    yield from dict.fromkeys(path.absolute() for path in paths if path.is_file())


def _version(candidate: Path) -> tuple[int, ...] | None:
    """(0, 13, 8), or None when it does not answer as uv does."""
    try:
        answer = subprocess.run([candidate, "--version"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.match(r"uv (\d+)\.(\d+)\.(\d+)", answer.stdout)
    return tuple(int(part) for part in found.groups()) if answer.returncode == 0 and found else None


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)
