"""One process of the library's Python that answers call after call: what is tested there needs NumPy."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

LOOP = Path(__file__).with_name("library_loop.py")
SOURCE = LOOP.parents[2] / "src"

Ask = Callable[..., Any]


@pytest.fixture(scope="session")
def ask(automodel_python: Path) -> Iterator[Ask]:
    """Make a call of `library_loop.py`; what it returns."""
    process = subprocess.Popen(
        [automodel_python, LOOP],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    stdin, stdout = process.stdin, process.stdout

    def call(name: str, **arguments: Any) -> Any:
        stdin.write(json.dumps({"call": name, **arguments}) + "\n")
        stdin.flush()
        return json.loads(stdout.readline())

    yield call
    stdin.close()
    process.wait(timeout=30)
