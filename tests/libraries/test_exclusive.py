"""One process at a time."""

from __future__ import annotations

import subprocess
import sys

from nemotron.libraries.exclusive import exclusive

HOLDER = """
import sys
from pathlib import Path
from nemotron.libraries.exclusive import exclusive
with exclusive(Path(sys.argv[1]), lambda: print("waiting", flush=True)):
    print("held", flush=True)
    sys.stdin.readline()
"""


def _holder(path):
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_the_second_waits_for_the_first(tmp_path):
    path = tmp_path / "lock"
    with exclusive(path, lambda: None):
        second = _holder(path)
        assert second.stdout.readline() == "waiting\n"

    assert second.stdout.readline() == "held\n"
    second.communicate("\n")
    assert second.returncode == 0


def test_a_killed_holder_holds_nothing(tmp_path):
    path = tmp_path / "lock"
    first = _holder(path)
    assert first.stdout.readline() == "held\n"
    first.kill()
    first.communicate()
    waited = []

    with exclusive(path, lambda: waited.append(True)):
        pass

    assert waited == []


def test_a_program_that_was_started_holds_it_too(tmp_path):
    path = tmp_path / "lock"
    with exclusive(path, lambda: None) as descriptor:
        child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=(descriptor,))
    waited = []

    def let_it_end():
        waited.append(True)
        child.communicate()

    with exclusive(path, let_it_end):
        pass

    assert waited == [True]
