"""What a failed installation means."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from nemotron.diagnostic import Severity
from nemotron.libraries.commands import CommandFailed
from nemotron.libraries.failures import of_command, of_system

LOG = Path("some.log")


@pytest.mark.parametrize(
    ("printed", "code", "exit_code"),
    [
        ("error: failed to write to file: No space left on device (os error 28)", "NMT604", 3),
        ("  cause: Disk quota exceeded (os error 122)", "NMT604", 3),
        ("error: failed to create directory: Permission denied (os error 13)", "NMT604", 3),
        ("error: Failed to download `a==1`\n  cause: Hash mismatch for `a==1`", "NMT606", 3),
        ("  cause: error sending request for url\n  cause: dns error", "NMT603", 4),
        ("error: Failed to fetch: a\n  cause: operation timed out", "NMT603", 4),
        ("error: something else", "NMT605", 3),
        ("", "NMT605", 3),
    ],
)
def test_a_failed_command(printed, code, exit_code):
    failure = of_command(CommandFailed(["uv", "pip", "a b"], 2, printed), "tiny", LOG)

    (problem,) = failure.diagnostics
    assert (problem.code, failure.exit_code) == (code, exit_code)
    assert problem.severity is Severity.BLOCKED
    assert printed in problem.detail
    assert "uv pip 'a b'" in problem.detail
    assert "some.log" in problem.detail
    assert "tiny" in problem.summary


def test_only_the_end_of_a_long_output_is_shown():
    failure = of_command(CommandFailed(["uv"], 2, "\n".join(f"line {n}" for n in range(100))), "tiny", LOG)

    assert "line 99" in failure.diagnostics[0].detail
    assert "line 50" not in failure.diagnostics[0].detail


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.ENOSPC, "NMT604"), (errno.EDQUOT, "NMT604"), (errno.EACCES, "NMT604"), (errno.EIO, "NMT605")],
)
def test_an_error_of_the_system(number, code):
    failure = of_system(OSError(number, "why"), "tiny", LOG)

    assert failure.diagnostics[0].code == code
    assert "why" in failure.diagnostics[0].detail
