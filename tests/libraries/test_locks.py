"""The shipped locks, and the script that compiles them."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nemotron.libraries.spec import load

LOCKS = Path(__file__).resolve().parents[2] / "locks"
WRITTEN = sorted(path for path in LOCKS.iterdir() if path.suffix in (".in", ".txt", ".toml", ".md"))
COMPILED = sorted(LOCKS.glob("*.txt"))


def _names(lock: Path) -> list[str]:
    return re.findall(r"^([a-z0-9.-]+)==", lock.read_text(), re.MULTILINE)


@pytest.mark.parametrize("file", WRITTEN, ids=lambda path: path.name)
def test_nothing_of_the_machine_that_made_it_is_in_it(file):
    text = file.read_text()

    for forbidden in ("+cpu", "file:", "://"):
        assert forbidden not in text
    assert not re.search(r"(^|[\s\"'=])/[A-Za-z]", text, re.MULTILINE), "an absolute path"


@pytest.mark.parametrize("lock", COMPILED, ids=lambda path: path.name)
def test_every_package_is_pinned_with_its_digests(lock):
    entries = lock.read_text().replace("\\\n", "").splitlines()

    assert len(entries) > 50
    for entry in entries:
        assert re.match(r"[a-z0-9.-]+==[^\s]+( ; [^-]+)?( +--hash=sha256:[0-9a-f]{64})+$", entry), entry


@pytest.mark.parametrize("lock", COMPILED, ids=lambda path: path.name)
def test_torch_and_what_only_its_cuda_build_brings_are_left_out(lock):
    asked_for = lock.with_suffix(".in").read_text()
    brought = [name for name in _names(lock) if re.match(r"torch$|triton$|cuda-|nvidia-(cu|nccl|nv)", name)]

    # Megatron-core imports triton on a CPU too: then it is in the list, in the version that torch pins.
    assert [name for name in brought if f"{name}==" not in asked_for] == []
    assert "torch" not in brought
    assert "sys_platform == 'never'" not in lock.read_text()


@pytest.mark.parametrize("lock", COMPILED, ids=lambda path: path.name)
def test_a_lock_is_described_and_made_from_a_list(lock):
    library = load(lock.stem)

    assert lock.with_suffix(".in").is_file()
    assert library.lock == lock
    assert not set(library.description.lock.leave_out) & set(_names(lock))


@pytest.mark.parametrize("lock", COMPILED, ids=lambda path: path.name)
def test_what_torch_itself_needs_is_pinned(lock):
    assert {"filelock", "fsspec", "jinja2", "networkx", "sympy", "typing-extensions"} <= set(_names(lock))


@pytest.fixture
def index(tiny, monkeypatch, make_wheel):
    """An index of folders with the tiny library, which needs torch and a helper; a `.in` that asks for it."""
    simple = tiny.folder / "simple"
    for name, requires in (("tiny", ("torch>=1", "helper")), ("helper", ())):
        wheel = make_wheel(simple / name, name, "1.0", {f"{name}.py": ""}, requires=requires)
        (simple / name / "index.html").write_text(
            f'<a href="{wheel.name}#sha256={hashlib.sha256(wheel.read_bytes()).hexdigest()}">{wheel.name}</a>'
        )
    monkeypatch.delenv("UV_NO_INDEX")
    monkeypatch.delenv("UV_OFFLINE")
    monkeypatch.setenv("UV_DEFAULT_INDEX", simple.as_uri())
    (tiny.locks / "tiny.in").write_text("tiny\n")
    (tiny.locks / "tiny.txt").unlink()
    return simple


def _compile(tiny) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, str(LOCKS / "compile"), "--folder", str(tiny.locks), "tiny"]
    return subprocess.run(argv, capture_output=True, text=True)


def test_compiling_leaves_torch_out_and_takes_nothing_from_find_links(tiny, index):
    assert _compile(tiny).returncode == 0

    text = (tiny.locks / "tiny.txt").read_text()
    assert re.findall(r"^\S+", text, re.MULTILINE) == ["helper==1.0", "tiny==1.0"]
    assert text.count("--hash=sha256:") == 2
    assert str(tiny.folder) not in text


def test_an_incomplete_library_is_compiled_without_its_dependencies(tiny, index):
    description = tiny.locks / "tiny.toml"
    description.write_text(description.read_text().replace("complete = true", "complete = false"))

    assert _compile(tiny).returncode == 0
    assert re.findall(r"^\S+", (tiny.locks / "tiny.txt").read_text(), re.MULTILINE) == ["tiny==1.0"]


def test_a_lock_that_would_name_a_folder_is_not_written(tiny, index):
    (tiny.locks / "tiny.in").write_text(f"tiny @ {next(index.glob('tiny/*.whl')).as_uri()}\n")

    result = _compile(tiny)

    assert result.returncode != 0
    assert "depend on this machine" in result.stderr
    assert not (tiny.locks / "tiny.txt").exists()


def test_the_script_is_executable():
    assert os.access(LOCKS / "compile", os.X_OK)
