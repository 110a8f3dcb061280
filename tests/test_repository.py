"""The repository as a whole: nothing of one machine in it, nothing tracked that is made."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from nemotron.catalog.catalog import Catalog

REPOSITORY = Path(__file__).resolve().parent.parent
STEPS = REPOSITORY / "steps"
CATALOG = Catalog([STEPS])
IDS = list(CATALOG.folders)
CONFIGS = [(identity, name) for identity in IDS for name in CATALOG.step(identity).config_names()]
PATTERNS = STEPS / "patterns"
CONTEXT = REPOSITORY / "references" / "context"
DEFAULT_MODEL = "Qwen/Qwen3-8B"

# --- nothing of one machine -------------------------------------------------------------------------------

# Put together from pieces, so that this file does not match.
SLASH = "/"
FORBIDDEN = {
    "a home folder": rf"(?<![\w.$}}]){SLASH}(?:home|root|Users){SLASH}\w",
    "a work folder": rf"(?<![\w.$}}]){SLASH}(?:work|workspace|scratch){SLASH}\w",
    "an address of a local file": rf"\bfile:{SLASH}{SLASH}",
    "a package index": r"\b(?:test\.)?pypi\.(?:org|nvidia|ngc)|" + r"files\.python" + r"hosted\.org|"
    r"download\.py" + rf"torch\.org{SLASH}whl|anaconda\.org{SLASH}|" + rf"{SLASH}sim" + rf"ple{SLASH}[\"'\s]",
    "a choice of package index": r"(?m)^\s*--(?:extra-)?index-" + r"url\b",
}


@cache
def tracked() -> dict[str, str]:
    """Path → text of every file that git tracks."""
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    names = [name for name in listing.stdout.split("\0") if name and (REPOSITORY / name).is_file()]
    return {name: (REPOSITORY / name).read_text(encoding="utf-8", errors="replace") for name in names}


def lines_with(pattern: str) -> list[str]:
    expression = re.compile(pattern)
    return [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {match.group()}"
        for name, text in tracked().items()
        for match in expression.finditer(text)
    ]


def test_there_are_files_to_look_at() -> None:
    assert {"pyproject.toml", "src/nemotron/diagnostic.py", "steps/types.toml"} <= set(tracked())


@pytest.mark.parametrize("what", list(FORBIDDEN))
def test_no_file_holds(what: str) -> None:
    assert lines_with(FORBIDDEN[what]) == []


EXAMPLES = {
    "a home folder": ["/home/", "me/x"],
    "a work folder": ["/work/", "main"],
    "an address of a local file": ["file:", "///wheels"],
    "a package index": ["https://py", "pi.org/x"],
    "a choice of package index": ["--extra-index", "-url x"],
}


@pytest.mark.parametrize("what", list(FORBIDDEN))
def test_each_pattern_finds_what_it_is_for(what: str) -> None:
    assert re.search(FORBIDDEN[what], "".join(EXAMPLES[what]))


def test_no_file_names_the_folders_of_this_machine() -> None:
    folders = {str(REPOSITORY), str(Path.home())} - {"/", "/root", "/tmp"}
    assert [line for folder in folders for line in lines_with(re.escape(folder) + r"(?![\w-])")] == []


def test_no_file_names_this_machine() -> None:
    name = socket.gethostname().split(".")[0]
    words = rf"(?<![\w-]){re.escape(name)}(?![\w-])"
    assert len(name) <= 3 or name in ("localhost", "runner") or lines_with(words) == []


def test_no_file_names_an_index_of_this_machine() -> None:
    names = (
        "PIP_INDEX_URL",
        "PIP_EXTRA_INDEX_URL",
        "UV_INDEX_URL",
        "UV_DEFAULT_INDEX",
        "UV_INDEX",
        "UV_EXTRA_INDEX_URL",
    )
    addresses = [word for name in names for word in os.environ.get(name, "").split()]
    hosts = {urlsplit(address.rpartition("=")[2]).hostname for address in addresses} - {
        None,
        "127.0.0.1",
        "localhost",
    }
    assert [line for host in hosts for line in lines_with(re.escape(str(host)))] == []


def test_no_lock_holds_a_local_build() -> None:
    locks = [name for name in tracked() if re.match(r"locks/.*\.(txt|in|toml)$", name)]
    assert locks
    assert [name for name in locks if "+c" + "pu" in tracked()[name]] == []


def test_what_is_made_is_not_tracked() -> None:
    made = r"(^|/)(__pycache__|\.nemotron|\.venv|output|uv\.lock|\.hypothesis)(/|$)"
    assert [name for name in tracked() if re.search(made, name)] == []
