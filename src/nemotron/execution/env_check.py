"""Does a profile work? Looks at what it needs, here or on its cluster; changes nothing. Starts programs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nemotron.diagnostic import Failure
from nemotron.execution.command import after_setup
from nemotron.hardware import probe
from nemotron.libraries import environment, spec
from nemotron.profiles.profile import Profile

_SECONDS = 120


@dataclass(frozen=True)
class Finding:
    """One thing that a profile needs: what was found of it, and where it is missing what to do."""

    what: str
    is_there: bool
    found: str
    fix: str = ""


def check_profile(profile: Profile) -> Iterator[Finding]:
    """Everything that the profile needs. Failure NMT650 (exit code 4) where its host does not answer."""
    if profile.is_local:
        yield from _this_machine(profile)
    else:
        from nemotron.execution.slurm.env_check import check_cluster

        yield from check_cluster(profile)
    yield from _secrets(profile)


def look_for_library(name: str, python: str) -> list[str]:
    """The command that ends well where a Python has the library; empty where nothing says how to tell."""
    try:
        imports = spec.load(name).description.imports
    except Failure:
        return []
    module = next(iter(imports), "").partition(".")[0]
    program = "import importlib.util, sys; sys.exit(importlib.util.find_spec(sys.argv[1]) is None)"
    return [python, "-c", program, module] if module else []


def _this_machine(profile: Profile) -> Iterator[Finding]:
    wanted, there = profile.gpus_per_node, len(probe.gpus())
    if wanted is not None:
        yield Finding(
            "GPUs",
            there >= wanted,
            f"{there} of {wanted}",
            "lower gpus_per_node, or look at nvidia-smi and CUDA_VISIBLE_DEVICES",
        )
    if profile.setup:
        yield _ran(
            profile, "setup", ["echo", f"{len(profile.setup)} commands"], "correct the commands of setup"
        )
    if profile.python is None:
        yield from (_installed(name) for name in profile.libraries or ())
        return
    yield _ran(profile, "python", [profile.python, "--version"], "correct python")
    for name in profile.libraries or ():
        if command := look_for_library(name, profile.python):
            yield _ran(profile, f"library {name}", command, f"a python that has {name}")


def _ran(profile: Profile, what: str, argv: list[str], fix: str) -> Finding:
    """How a command ended that was run as a job's is."""
    variables = {**os.environ, **profile.env_vars}
    try:
        done = subprocess.run(
            [*after_setup(profile.setup), *argv],
            env=variables,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        return Finding(what, False, str(problem), fix)
    said = (done.stdout + done.stderr).strip().splitlines()
    is_there = done.returncode == 0
    return Finding(what, is_there, said[-1] if said else "there" if is_there else "not there", fix)


def _installed(name: str) -> Finding:
    """A library in an environment of ours."""
    try:
        found = environment.require(name, gpus=bool(probe.gpus()))
    except Failure as failure:
        problem = failure.diagnostics[0]
        return Finding(f"library {name}", False, problem.summary, problem.fix)
    return Finding(f"library {name}", True, f"torch {found.torch}, Python {found.python_version}")


def _secrets(profile: Profile) -> Iterator[Finding]:
    for name in profile.secrets:
        is_set = bool(os.environ.get(name))
        yield Finding(f"secret {name}", is_set, "set here" if is_set else "not set here", f"export {name}=…")
    if profile.identity is not None:
        file = Path(profile.identity).expanduser()
        yield Finding("identity", file.is_file(), str(file), "correct identity")
