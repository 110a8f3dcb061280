"""Optional parts of a library: built where there is a compiler, left out with the reason where not."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from nemotron.diagnostic import Failure
from nemotron.libraries.environment import lacking
from nemotron.libraries.install import install
from nemotron.libraries.spec import load

PART = """
image = "an/image:1"
[[optional]]
name = "fast"
why = "fast layers"
module = "fast"
programs = ["our-compiler"]
variables = {{FAST_BUILD = "TRUE"}}
requirements = ["fast==1.0 --hash=sha256:{digest}"]
"""


@pytest.fixture
def with_part(tiny, make_wheel):
    """The tiny library with a part that wants a compiler, on a torch with CUDA."""

    def add(files: dict[str, str], digest: str | None = None):
        wheel = make_wheel(tiny.wheels, "fast", "1.0", files)
        digest = digest or hashlib.sha256(wheel.read_bytes()).hexdigest()
        description = tiny.locks / "tiny.toml"
        description.write_text(PART.format(digest=digest).split("[[", 1)[0] + description.read_text())
        with description.open("a") as stream:
            stream.write("[[" + PART.format(digest=digest).split("[[", 1)[1])
        make_wheel(tiny.wheels, "nvidia-cublas", "1.0", {"nvidia/cublas/include/cublas.h": ""})
        tiny.add_torch("9.9.9", "13.0", requires=("nvidia-cublas",))
        return tiny

    return add


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "our-compiler"
    program.parent.mkdir(exist_ok=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))


def installed(torch: str = "cuda") -> tuple[list[str], tuple[str, ...] | None, list[str]]:
    """What an installation says, the parts that it has and those that it lacks."""
    told: list[str] = []
    environment = install("tiny", told.append, torch=torch)
    return told, environment.parts, [part.name for part in lacking(load("tiny"), environment)]


def test_a_part_is_built_where_its_compiler_is(with_part, compiler):
    tiny = with_part({"fast.py": ""})
    told, parts, lacks = installed()
    assert (parts, lacks) == (("fast",), [])
    assert any("building fast, for fast layers" in line for line in told)
    (marker,) = tiny.libraries.glob("tiny-*/library.json")
    assert json.loads(marker.read_text())["parts"] == ["fast"]


def test_the_build_is_told_what_it_wants(with_part, compiler, tmp_path):
    tiny = with_part({"fast.py": ""})
    tiny.wrap_uv('case "$*" in *fast.txt*) env > ' + str(tmp_path / "seen") + ";; esac")
    installed()
    seen = (tmp_path / "seen").read_text()
    assert "FAST_BUILD=TRUE" in seen
    assert "nvidia/cublas/include" in next(line for line in seen.splitlines() if line.startswith("CPATH="))
    assert str(tmp_path / "bin") in next(line for line in seen.splitlines() if line.startswith("PATH="))
    (call,) = [line for line in tiny.uv_log.read_text().splitlines() if "fast.txt" in line]
    assert {"--no-deps", "--no-build-isolation", "--require-hashes"} <= set(call.split())


def test_without_its_compiler_the_installation_goes_on_and_names_the_container(with_part):
    with_part({"fast.py": ""})
    told, parts, lacks = installed()
    assert (parts, lacks) == ((), ["fast"])
    reason = "there is no our-compiler; the container an/image:1 has it"
    assert f"without fast, which fast layers need: {reason}" in told


def test_a_part_that_is_to_be_left_out_is_not_built(with_part, compiler):
    with_part({"fast.py": ""})
    told: list[str] = []
    environment = install("tiny", told.append, torch="cuda", without=["fast"])
    assert environment.parts == ()
    assert not any("fast" in line for line in told)


def test_a_part_that_there_is_not_is_refused_before_anything_is_done(with_part, tiny):
    with_part({"fast.py": ""})
    with pytest.raises(Failure) as caught:
        install("tiny", torch="cuda", without=["fats"])
    (problem,) = caught.value.diagnostics
    assert (problem.code, caught.value.exit_code) == ("NMT644", 2)
    assert "fast" in problem.fix
    assert not tiny.libraries.exists()


@pytest.mark.parametrize(
    ("files", "digest"),
    [({"fast.py": ""}, "0" * 64), ({"fast.py": "raise ImportError('no driver')\n"}, None)],
)
def test_a_part_that_fails_is_left_out(with_part, compiler, files, digest):
    tiny = with_part(files, digest)
    told, parts, _ = installed()
    assert parts == ()
    assert list(tiny.libraries.glob("tiny-*/lib/python*/site-packages/fast*")) == []
    assert any(line.startswith("without fast") for line in told)


def test_a_cpu_build_of_torch_has_no_parts_and_says_nothing(with_part, compiler):
    with_part({"fast.py": ""})
    told, parts, lacks = installed("cpu")
    assert (parts, lacks) == ((), ["fast"])
    assert not any("fast" in line for line in told)


def test_what_a_python_of_the_machine_has_is_not_known(with_part, monkeypatch):
    with_part({"fast.py": ""})
    monkeypatch.setenv("NEMOTRON_TINY_PYTHON", "python3")
    _, parts, lacks = installed()
    assert (parts, lacks) == (None, [])
