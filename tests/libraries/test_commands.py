"""Running the programs of an installation."""

from __future__ import annotations

import pytest

from nemotron.libraries import commands
from nemotron.libraries.commands import CommandFailed, Commands


@pytest.fixture
def shell(tmp_path):
    """Runs a shell script; what was reported is in its `reports`."""
    with open(tmp_path / "lock", "w", encoding="utf-8") as stream:
        reports = []
        running = Commands(tmp_path, tmp_path / "log", stream.fileno(), reports.append)

        def run(script, **options):
            return running.run(["sh", "-c", script], "trying", **options)

        run.reports, run.log = reports, tmp_path / "log"
        yield run


def test_output_is_returned_logged_and_reported(shell):
    assert shell("echo one; echo two >&2; printf three") == "one\ntwo\nthree"

    assert shell.reports == ["one", "two", "three"]
    assert shell.log.read_text() == "$ sh -c 'echo one; echo two >&2; printf three'\none\ntwo\nthree\n"


def test_lists_of_packages_and_quiet_programs_are_only_logged(shell):
    shell("echo 'Installed 2 packages'; echo ' + tiny==1.0'")
    shell("echo hidden", quiet=True)

    assert shell.reports == ["Installed 2 packages"]
    assert " + tiny==1.0" in shell.log.read_text()
    assert "hidden" in shell.log.read_text()


def test_a_failure_carries_the_command_and_its_output(shell):
    with pytest.raises(CommandFailed) as failure:
        shell("echo why; exit 7")

    assert (failure.value.status, failure.value.output) == (7, "why")
    assert failure.value.argv[0] == "sh"


def test_a_silent_program_is_reported_to_go_on(shell, monkeypatch):
    monkeypatch.setattr(commands, "_SILENCE_SECONDS", 0.05)

    shell("sleep 0.3")

    assert shell.reports
    assert all(line.startswith("… trying") for line in shell.reports)


def test_bytes_that_are_not_text_do_no_harm(shell):
    assert shell(r"printf '\377ok\n'").endswith("ok")
