"""The way to a host: what stands on ssh's command line, and what is said when nobody answers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nemotron.execution.slurm.host import Host, Unanswered


@pytest.fixture
def fake_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An `ssh` that writes down its arguments and runs the rest here; `-G` tells the user's own settings."""
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\n[ "$1" = -G ] && {{ cat {tmp_path}/settings 2>/dev/null; exit; }}\n'
        f'printf "%s\\n" "$@" >{tmp_path}/arguments\n'
        'while [ "$1" != login ]; do shift; done; shift\nexec sh -c "$*"\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return tmp_path


def arguments(folder: Path) -> list[str]:
    return (folder / "arguments").read_text(encoding="utf-8").splitlines()


def test_a_profiles_user_port_and_key_are_handed_to_ssh_which_never_asks(fake_ssh: Path) -> None:
    answer = Host("login", "me", 2222, "~/key").run("echo $((6 * 7))\n")
    assert (answer.code, answer.output) == (0, "42\n")
    told = arguments(fake_ssh)
    assert told[:6] == ["-l", "me", "-p", "2222", "-i", str(Path("~/key").expanduser())]
    assert "BatchMode=yes" in told
    assert "ControlMaster=auto" in told


def test_a_connection_that_the_user_shares_already_is_left_alone(fake_ssh: Path) -> None:
    (fake_ssh / "settings").write_text("user me\ncontrolpath /there/c-%C\n", encoding="utf-8")
    Host("login").run("true\n")
    assert [word for word in arguments(fake_ssh) if word.startswith("Control")] == []


def test_a_command_that_fails_there_is_an_answer(fake_ssh: Path) -> None:
    answer = Host("login").run("echo why >&2; exit 7\n")
    assert (answer.code, answer.errors) == (7, "why\n")


def test_ssh_that_fails_is_no_answer_and_its_error_is_told(fake_ssh: Path) -> None:
    script = "echo 'ssh: connect to host login port 22: No route to host' >&2; exit 255\n"
    with pytest.raises(Unanswered) as failure:
        Host("login").run(script)
    assert failure.value.exit_code == 4
    (told,) = failure.value.diagnostics
    assert (told.code, "No route to host" in told.summary) == ("NMT650", True)
    assert told.detail == "the command that failed: ssh login bash -l -s"


def test_this_machine_needs_no_ssh(tmp_path: Path) -> None:
    here = Host()
    assert (here.run("echo here\n").output, str(here)) == ("here\n", "this machine")


@pytest.mark.parametrize("has_rsync", [True, False])
def test_files_go_there_and_come_home(fake_ssh: Path, has_rsync: bool) -> None:
    if not has_rsync:
        (fake_ssh / "bin" / "rsync").write_text("#!/bin/sh\necho 'rsync: not found' >&2\nexit 127\n")
        (fake_ssh / "bin" / "rsync").chmod(0o755)
    run, there, host = fake_ssh / "run", fake_ssh / "it's there", Host("login")
    (run / "a" / "1").mkdir(parents=True)
    (run / "a" / "1" / "job.sh").write_text("script", encoding="utf-8")
    (run / "b").mkdir()
    (run / "code").symlink_to(Path(__file__).parent)
    host.send(run, ["code", "a/1"], str(there))
    assert (there / "a" / "1" / "job.sh").read_text(encoding="utf-8") == "script"
    assert (there / "code" / Path(__file__).name).is_file()
    assert not (there / "code").is_symlink()
    assert not (there / "b").exists()
    for name in ("log", "weights.bin", "records/x.json"):
        (there / "a" / "1" / name).parent.mkdir(exist_ok=True)
        (there / "a" / "1" / name).write_text(name, encoding="utf-8")
    host.fetch(str(there), run, ["log", "*.json"], 4)
    home = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    assert home == {"a/1/job.sh", "a/1/log", "a/1/records/x.json"}
