"""Locks: one holder at a time, dead ones replaced, those of other hosts left alone."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nemotron.diagnostic import Failure
from nemotron.execution.lock import hold
from nemotron.execution.processes import boot_id, start_time


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "locks" / "one"


def dead_holder() -> dict[str, Any]:
    """A process of this host that has ended."""
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    holder = {"host": socket.gethostname(), "boot": boot_id(), "pid": process.pid}
    holder["started"] = start_time(process.pid)
    process.wait()
    return holder


def write_lock(lock: Path, holder: Any) -> None:
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text(holder if isinstance(holder, str) else json.dumps(holder), encoding="utf-8")


def test_a_lock_is_there_while_it_is_held_and_gone_afterwards(lock: Path) -> None:
    with hold(lock, "testing"):
        assert json.loads(lock.read_text(encoding="utf-8"))["pid"] == os.getpid()
    assert not lock.exists()


def test_a_lock_is_released_when_the_block_fails(lock: Path) -> None:
    with pytest.raises(ZeroDivisionError), hold(lock, "testing"):
        raise ZeroDivisionError
    assert not lock.exists()


def test_a_living_holder_is_refused_by_name(lock: Path) -> None:
    with hold(lock, "testing"):
        with pytest.raises(Failure) as refusal, hold(lock, "testing"):
            pass
        assert lock.exists()
    problem = refusal.value.diagnostics[0]
    assert (problem.code, refusal.value.exit_code) == ("NMT806", 3)
    assert str(os.getpid()) in problem.detail
    assert f"end process {os.getpid()}" in problem.fix


def test_a_dead_holder_is_replaced(lock: Path) -> None:
    write_lock(lock, dead_holder())
    with hold(lock, "testing"):
        assert json.loads(lock.read_text(encoding="utf-8"))["pid"] == os.getpid()


def test_a_pid_counts_only_with_its_start_time_and_boot(lock: Path) -> None:
    me = {"host": socket.gethostname(), "boot": boot_id(), "pid": os.getpid()}
    for other in ({"started": "1"}, {"started": start_time(os.getpid()), "boot": "an earlier boot"}):
        write_lock(lock, {**me, **other})
        with hold(lock, "testing"):
            pass
        assert not lock.exists()


def test_a_holder_on_another_host_is_refused_with_the_command_that_breaks_the_lock(lock: Path) -> None:
    write_lock(lock, {**dead_holder(), "host": "elsewhere"})
    with pytest.raises(Failure) as refusal, hold(lock, "testing"):
        pass
    assert refusal.value.diagnostics[0].fix.endswith(f"rm {lock}")
    assert "elsewhere" in refusal.value.diagnostics[0].detail
    assert lock.exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"host": '])
def test_a_lock_that_was_torn_by_a_crash_is_replaced(lock: Path, content: str) -> None:
    write_lock(lock, content)
    with hold(lock, "testing"):
        assert json.loads(lock.read_text(encoding="utf-8"))["pid"] == os.getpid()


def test_what_a_process_with_our_pid_left_does_not_lock_us_out(lock: Path) -> None:
    """In containers pids come again: the dead holder's own name for the lock may look like ours."""
    write_lock(lock, dead_holder())
    os.link(lock, lock.with_name(f".{lock.name}.{os.getpid()}"))
    with hold(lock, "testing"):
        pass


def test_a_holder_that_has_ended_but_was_not_waited_for_is_dead(lock: Path) -> None:
    process = subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE)
    holder = {"host": socket.gethostname(), "boot": boot_id(), "pid": process.pid}
    write_lock(lock, {**holder, "started": start_time(process.pid)})
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    with hold(lock, "testing"):
        pass
    process.communicate()


CONTENDER = """
import os, sys, time
from pathlib import Path
from nemotron.diagnostic import Failure
from nemotron.execution.lock import hold

lock, inside, rounds = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
while rounds:
    try:
        with hold(lock, "contending"):
            os.close(os.open(inside, os.O_CREAT | os.O_EXCL))  # fails if another one is inside
            os.unlink(inside)
            rounds -= 1
            if not rounds:
                os._exit(0)  # and leaves the lock
    except Failure:
        time.sleep(0.001)
"""


def test_processes_that_leave_their_lock_behind_never_hold_it_together(tmp_path: Path, lock: Path) -> None:
    write_lock(lock, dead_holder())
    argv = [sys.executable, "-c", CONTENDER, str(lock), str(tmp_path / "inside"), "5"]
    contenders = [subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) for _ in range(6)]
    failed = [error for process in contenders if (error := process.communicate(timeout=60)[1])]
    assert failed == []
