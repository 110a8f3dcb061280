"""What all tests share: the library's Python, a light catalog of the tests' own, the command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from quick import QuickStart, make_quickstart

from nemotron.libraries import environment


@pytest.fixture(scope="session")
def automodel_python() -> Path:
    """The Python of the installed AutoModel library: what jobs run under."""
    found = environment.find("automodel")
    if found is None:
        pytest.fail("the automodel library is not installed: `make setup`")
    return found.python


@pytest.fixture(scope="session")
def megatron_python() -> Path:
    """The Python of the installed Megatron-Bridge library."""
    found = environment.find("megatron_bridge")
    if found is None:
        pytest.fail("the megatron_bridge library is not installed: `make megatron`")
    return found.python


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder that is also the working directory."""
    folder = tmp_path / "project"
    (folder / ".nemotron").mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


Nemotron = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def nemotron(project: Path) -> Nemotron:
    """Run the real command line in the project folder: `nemotron("steps", "list", env={…})`."""

    def run(
        *arguments: str, env: dict[str, str] | None = None, timeout: float = 120, cwd: Path = project
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "nemotron", *arguments],
            cwd=cwd,
            env={**os.environ, "NO_COLOR": "1", **(env or {})},
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    return run


@pytest.fixture(scope="session")
def quickstart() -> QuickStart:
    """One `make quickstart` for all tests. What an earlier run finished is not run again."""
    return make_quickstart()


# Files whose tests read what the quick start made.
WAIT_FOR_THE_QUICK_START = (
    "test_readme.py",
    "test_killed_training.py",
    "test_megatron_training.py",
    "test_in_job.py",
)


def pytest_configure() -> None:
    """A shell's background job ignores Ctrl-C, and so would every process that the tests start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, what waits for it last: two workers take whole files, in this order."""
    items.sort(key=_order)


def _order(item: pytest.Item) -> int:
    if item.path.name == "test_quickstart.py":
        return 0
    return 2 if item.path.name in WAIT_FOR_THE_QUICK_START else 1
