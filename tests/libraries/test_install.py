"""Installing for real, with uv and a lock whose wheels were made on the spot."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nemotron.diagnostic import Failure
from nemotron.libraries.environment import Environment, find, require
from nemotron.libraries.install import install

REPORTING = "install(name, lambda line: print(line, flush=True))\nprint('finished', flush=True)\n"


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def ask(environment: Environment, code: str) -> str:
    argv = [str(environment.python), "-I", "-c", code]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


def test_makes_an_environment_that_find_sees(tiny):
    assert find("tiny") is None

    made = install("tiny")

    assert find("tiny") == made
    assert made.folder.parent == tiny.libraries
    assert made.torch == "9.9.9+cpu"
    assert made.cuda is None
    assert ask(made, "import tiny; tiny.main()") == "hello from tiny"


def test_records_what_was_installed(tiny):
    made = install("tiny")

    marker = json.loads((made.folder / "library.json").read_text())
    wheel = tiny.wheels / "torch-9.9.9+cpu-py3-none-any.whl"
    assert marker["torch"]["wheel"] == wheel.name
    assert marker["torch"]["sha256"] == hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert marker["lock_digest"] == made.lock_digest
    assert marker["packages"] == {"tiny": "1.0", "torch": "9.9.9+cpu"}
    assert made.python_version == ".".join(map(str, sys.version_info[:3]))


def test_programs_of_the_environment_run_where_it_was_renamed_to(tiny):
    made = install("tiny")

    said = subprocess.run([made.folder / "bin" / "tiny-hello"], capture_output=True, text=True, check=True)

    assert said.stdout == "hello from tiny\n"
    assert not [
        path for path in made.folder.rglob("*") if path.suffix == ".py" and ".tmp" in path.read_text()
    ]


def test_bytecode_is_there_for_a_job_that_may_write_none(tiny, monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")

    made = install("tiny")

    assert list(made.folder.glob("lib/python*/site-packages/tiny/__pycache__/*.pyc"))


def test_a_second_installation_installs_nothing(tiny):
    first = install("tiny")
    tiny.wrap_uv("")

    assert install("tiny") == first
    assert not tiny.uv_log.exists()


def test_reinstall_makes_it_anew(tiny):
    first = install("tiny")
    (first.folder / "mark").touch()

    again = install("tiny", reinstall=True)

    assert not (again.folder / "mark").exists()
    assert tiny.hidden() == []


def test_two_installations_at_once_make_one_environment(tiny):
    go = tiny.folder / "go"
    tiny.wrap_uv(f'while [ "$1" = venv ] && [ ! -e "{go}" ]; do sleep 0.05; done')
    first = tiny.start(REPORTING)
    wait_until(tiny.uv_log.exists)
    second = tiny.start(REPORTING)
    assert second.stdout is not None
    assert "waiting" in second.stdout.readline()

    go.touch()

    assert "finished" in first.communicate(timeout=60)[0]
    assert "finished" in second.communicate(timeout=60)[0]
    assert (first.returncode, second.returncode) == (0, 0)
    calls = tiny.uv_log.read_text().splitlines()
    assert len([call for call in calls if call.startswith("venv ")]) == 1
    assert find("tiny") is not None


def test_killed_in_the_middle_leaves_nothing_taken_for_finished(tiny):
    go = tiny.folder / "go"
    tiny.wrap_uv(f'while [ "$2" = install ] && [ ! -e "{go}" ]; do sleep 0.05; done')
    killed = tiny.start(REPORTING)
    wait_until(lambda: tiny.uv_log.exists() and "pip install" in tiny.uv_log.read_text())
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()

    assert find("tiny") is None
    assert tiny.hidden()
    # Its uv lives on, and keeps the next one out for as long as it does.
    again = tiny.start(REPORTING)
    assert again.stdout is not None
    assert "waiting" in again.stdout.readline()

    go.touch()

    assert "finished" in again.communicate(timeout=60)[0]
    assert tiny.hidden() == []
    assert ask(require("tiny"), "import tiny; tiny.main()") == "hello from tiny"


def test_interrupted_ends_uv_and_cleans_up(tiny):
    tiny.wrap_uv('[ "$2" = install ] && exec sleep 600')
    process = tiny.start(REPORTING)
    wait_until(lambda: tiny.uv_log.exists() and "pip install" in tiny.uv_log.read_text())

    os.kill(process.pid, signal.SIGINT)

    assert "KeyboardInterrupt" in process.communicate(timeout=30)[0]
    assert process.returncode != 0
    assert tiny.hidden() == []
    assert find("tiny") is None
    wait_until(lambda: not group_lives(process.pid))  # the whole process group: uv too


def group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _without_marker(folder: Path) -> None:
    (folder / "library.json").unlink()


def _half_a_marker(folder: Path) -> None:
    (folder / "library.json").write_text('{"version": 1, "lock_')


def _without_python(folder: Path) -> None:
    python = folder / "bin" / "python"
    python.unlink()
    python.symlink_to(folder / "gone")


def _without_torch(folder: Path) -> None:
    shutil.rmtree(next(folder.glob("lib/python*/site-packages/torch")))


def _with_another_version(folder: Path) -> None:
    metadata = next(folder.glob("lib/python*/site-packages/tiny-1.0.dist-info/METADATA"))
    text = metadata.read_text()
    metadata.unlink()
    metadata.write_text(text.replace("Version: 1.0", "Version: 2.0"))


@pytest.mark.parametrize(
    "breaking", [_without_marker, _half_a_marker, _without_python, _without_torch, _with_another_version]
)
def test_a_broken_one_is_made_again(tiny, breaking):
    breaking(install("tiny").folder)

    again = install("tiny")

    assert find("tiny") == again
    assert again.packages == {"tiny": "1.0", "torch": "9.9.9+cpu"}
    assert ask(again, "import torch, tiny; tiny.main()") == "hello from tiny"
    assert tiny.hidden() == []


def test_a_file_other_than_the_lock_names_is_not_installed(tiny):
    before = install("tiny")
    tiny.write_lock("0" * 64)

    with pytest.raises(Failure) as failure:
        install("tiny")

    (problem,) = failure.value.diagnostics
    assert problem.code == "NMT606"
    assert failure.value.exit_code == 3
    assert find("tiny") is None
    assert tiny.hidden() == []
    assert before.python.exists()


def test_a_lock_without_digests_is_not_installed(tiny):
    (tiny.locks / "tiny.txt").write_text("tiny==1.0\n")

    with pytest.raises(Failure) as failure:
        install("tiny")

    assert "--require-hashes" in failure.value.diagnostics[0].detail
    assert find("tiny") is None


def test_what_was_there_stays_when_making_it_anew_fails(tiny):
    before = install("tiny")
    tiny.wrap_uv('[ "$2" = install ] && exit 2')

    with pytest.raises(Failure):
        install("tiny", reinstall=True)

    assert find("tiny") == before
    assert ask(before, "import tiny; tiny.main()") == "hello from tiny"


def test_an_installation_that_cannot_be_imported_is_not_kept(tiny):
    tiny.tiny_files["tiny/__init__.py"] = "import not_there\n"
    tiny.write()

    with pytest.raises(Failure) as failure:
        install("tiny")

    (problem,) = failure.value.diagnostics
    assert problem.code == "NMT605"
    assert "No module named 'not_there'" in problem.detail
    assert find("tiny") is None


def test_a_failed_command_and_the_log_are_named(tiny):
    tiny.wrap_uv('[ "$2" = install ] && { echo "a strange thing happened"; exit 2; }')

    with pytest.raises(Failure) as failure:
        install("tiny")

    (problem,) = failure.value.diagnostics
    assert problem.code == "NMT605"
    assert "a strange thing happened" in problem.detail
    assert "pip install" in problem.detail
    assert problem.where is not None
    assert "a strange thing happened" in Path(problem.where.file).read_text()


def test_an_index_that_does_not_answer(tiny, monkeypatch):
    monkeypatch.delenv("UV_NO_INDEX")
    monkeypatch.delenv("UV_OFFLINE")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")

    with pytest.raises(Failure) as failure:
        install("tiny")

    assert failure.value.diagnostics[0].code == "NMT603"
    assert failure.value.exit_code == 4


def test_a_full_disk(tiny, monkeypatch):
    small = tiny.folder / "small"
    small.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(small)]
    if not shutil.which("mount") or subprocess.run(mounting, capture_output=True).returncode:
        pytest.skip("a file system of a known size needs the right to mount one")
    try:
        monkeypatch.setenv("NEMOTRON_CACHE", str(small))
        tiny.tiny_files["tiny/data.txt"] = "x" * 300_000
        tiny.write()
        with pytest.raises(Failure) as failure:
            install("tiny")
        assert failure.value.diagnostics[0].code == "NMT604"
        assert find("tiny") is None
        assert not list(small.glob("libraries/.*.tmp"))
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_cache_that_cannot_be_written(tiny, monkeypatch):
    (tiny.folder / "file").touch()
    monkeypatch.setenv("NEMOTRON_CACHE", str(tiny.folder / "file"))

    with pytest.raises(Failure) as failure:
        install("tiny")

    assert failure.value.diagnostics[0].code == "NMT604"


def test_without_uv(tiny, monkeypatch):
    for name in ("UV", "PATH"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("HOME", str(tiny.folder))
    monkeypatch.setattr(sys, "executable", str(tiny.folder / "python"))

    with pytest.raises(Failure) as failure:
        install("tiny")

    assert failure.value.diagnostics[0].code == "NMT602"
    assert failure.value.exit_code == 3


def test_settings_of_the_users_do_not_change_what_a_lock_installs(tiny, monkeypatch):
    for name in ("UV_CONSTRAINT", "UV_OVERRIDE"):
        monkeypatch.setenv(name, str(tiny.folder / "no-such-file"))
    monkeypatch.setenv("UV_EXCLUDE_NEWER", "2001-01-01")
    monkeypatch.setenv("PYTHONPATH", str(tiny.folder))
    (tiny.folder / "torch.py").write_text("raise RuntimeError('not this one')")

    assert install("tiny").packages == {"tiny": "1.0", "torch": "9.9.9+cpu"}


def test_a_cuda_build_is_taken_when_it_is_asked_for(tiny, make_wheel):
    make_wheel(tiny.wheels, "nvidia-tiny", "1.0", {"nvidia_tiny.py": ""})
    tiny.add_torch("9.9.9", "13.0", requires=("nvidia-tiny==1.0",))
    assert install("tiny").torch == "9.9.9+cpu"
    with pytest.raises(Failure, match="cannot use a GPU"):
        require("tiny", gpus=True)

    made = install("tiny", torch="cuda")

    assert (made.torch, made.cuda) == ("9.9.9", "13.0")
    assert "nvidia-tiny" in made.packages
    assert require("tiny", gpus=True) == made
    assert install("tiny") == made


def test_a_machine_that_gets_a_gpu_gets_the_cuda_build(tiny, monkeypatch):
    tiny.add_torch("9.9.9", "13.0")
    assert install("tiny").cuda is None
    smi = tiny.folder / "bin" / "nvidia-smi"
    smi.parent.mkdir(exist_ok=True)
    smi.write_text("#!/bin/sh\necho 'GPU 0: NVIDIA H200 (UUID: GPU-0)'\n")
    smi.chmod(smi.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{smi.parent}{os.pathsep}{os.environ['PATH']}")

    assert install("tiny").cuda == "13.0"


def test_a_library_of_the_machines_own_is_not_installed(tiny, monkeypatch):
    monkeypatch.setenv("NEMOTRON_TINY_PYTHON", sys.executable)
    reports = []

    assert install("tiny", reports.append).python == Path(sys.executable)
    assert not tiny.libraries.exists()
    assert any(sys.executable in line for line in reports)


def test_no_build_of_torch_at_all(tiny, monkeypatch):
    monkeypatch.delenv("UV_OFFLINE")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    for wheel in tiny.wheels.glob("torch-*"):
        wheel.unlink()

    with pytest.raises(Failure) as failure:
        install("tiny")

    (problem,) = failure.value.diagnostics
    assert problem.code == "NMT605"
    assert "torch" in problem.detail
