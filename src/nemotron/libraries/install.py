"""Making a library's environment: under a lock, beside its place, renamed into it when it is whole.

A reader sees an environment that is complete or none, and whoever is killed leaves only a hidden folder
that the next installation removes. That needs an environment that can be moved: uv's relocatable ones can,
as their programs find their Python beside themselves.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nemotron.diagnostic import Failure
from nemotron.files import write_atomic
from nemotron.libraries import failures, probe, torch_build, uv
from nemotron.libraries import parts as optional_parts
from nemotron.libraries.commands import CommandFailed, Commands, Report
from nemotron.libraries.environment import (
    MARKER,
    MARKER_VERSION,
    Environment,
    comes_from_elsewhere,
    folder_of,
    outside,
    python_of,
    read,
    root,
)
from nemotron.libraries.exclusive import exclusive
from nemotron.libraries.find_links import find_links
from nemotron.libraries.spec import Library, load
from nemotron.libraries.torch_build import NoTorch, TorchBuild, Wanted

_VENV = ("--relocatable", "--no-project")


def install(
    name: str,
    report: Report = lambda line: None,
    *,
    reinstall: bool = False,
    torch: Wanted = "auto",
    without: Collection[str] = (),
) -> Environment:
    """The library's environment: made if it is missing or broken, made anew with `reinstall`.

    `torch` is `cpu`, `cuda`, or `auto` for the build that fits this machine. An environment whose torch
    cannot use the GPU is replaced; one with CUDA serves a machine without a GPU too. `without` names optional
    parts that a new environment does not get. `report` is told, line by line, what happens. A library that
    comes with the machine is left alone. Failure NMT602 to NMT609, NMT611, NMT644.
    """
    library = load(name)
    name = library.name
    optional_parts.check_names(library, without)
    if given := outside(library):
        report(f"{name} comes with this machine: {given.python}")
        return given
    if library.elsewhere:
        raise Failure(comes_from_elsewhere(library))
    folder = folder_of(library)
    log = root() / f"{folder.name}.log"
    try:
        root().mkdir(parents=True, exist_ok=True)
        with exclusive(
            root() / f".{name}.lock",
            lambda: report(f"another installation of {name} is going on; waiting for it to end"),
        ) as lock:
            commands = Commands(root(), log, lock, report, uv.environment())
            existing = None if reinstall else _usable(commands, library, torch)
            return existing or _make(commands, library, torch, without)
    except NoTorch as problem:
        raise failures.of_command(problem.last, name, log) from problem
    except CommandFailed as problem:
        raise failures.of_command(problem, name, log) from problem
    except OSError as problem:
        raise failures.of_system(problem, name, log) from problem


def _usable(commands: Commands, library: Library, wanted: Wanted) -> Environment | None:
    """The environment that is there, when it is whole, works, and has the build of torch that is wanted."""
    environment = read(folder_of(library), library)
    if environment is None:
        return None
    if environment.cuda is None and torch_build.wants_cuda(wanted, driver=torch_build.nvidia_gpu()):
        commands.report(f"torch {environment.torch} cannot use a GPU: making the environment anew")
        return None
    try:
        found = _probe(commands, environment.python, ["torch"])
    except (CommandFailed, OSError):
        found = {}
    if found.get("packages") != environment.packages:
        commands.report(f"the environment of {library.name} is broken: making it anew")
        return None
    return environment


def _make(commands: Commands, library: Library, wanted: Wanted, without: Collection[str]) -> Environment:
    """Build the environment in a hidden folder beside its place, then put it there."""
    place = folder_of(library)
    commands.log.write_text(f"{library.name}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC\n", encoding="utf-8")
    for left in place.parent.glob(f".{library.name}-????????????-py*.tmp"):
        shutil.rmtree(left, ignore_errors=True)
    with _hidden(place, "new") as work:
        program = uv.program()
        python = python_of(work)
        commands.report(f"installing {library.name} for Python {library.python} into {place}")
        commands.run(
            [str(program), "venv", str(work), *_VENV, "--python", _base_python(library)],
            "making the environment",
        )
        links = find_links()
        build = torch_build.choose(commands, program, library, python, wanted, links)
        commands.report(_torch_line(library, build))
        _install_packages(commands, program, library, python, build, links)
        parts = (
            optional_parts.install(commands, program, library, python, links, without)
            if build.brings_cuda
            else []
        )
        commands.report("importing it, which shows that it works and compiles what jobs import")
        found = _probe(commands, python, ["torch", *library.description.imports])
        _write_marker(work, library, build, found, parts)
        _put(work, place)
    environment = read(place, library)
    assert environment is not None
    if build.brings_cuda and wanted == "auto" and not found["sees_gpu"]:
        commands.report(f"note: torch {build.version} sees no GPU; the driver may be too old for it")
    commands.report(f"{library.name} is installed: Python {found['python']}, torch {found['torch']}")
    return environment


def _base_python(library: Library) -> str:
    """What uv bases the environment on: this Python, or one of the right version that it finds."""
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    return sys.executable if running == library.python else library.python


def _torch_line(library: Library, build: TorchBuild) -> str:
    sizes = library.torch.download_mb
    megabytes = sizes.cuda if build.brings_cuda else sizes.cpu
    return f"torch {build.version}: {build.why} (about {megabytes:,} MB)"


def _install_packages(
    commands: Commands, program: Path, library: Library, python: Path, build: TorchBuild, links: list[str]
) -> None:
    """torch and what it brings, then the lock; every file is checked against its digest.

    Two calls, because a torch backend would also look for other packages of the lock in PyTorch's index,
    whose files have other digests.
    """
    requirements = python.parent.parent / "torch.txt"
    requirements.write_text("\n".join(build.requirements) + "\n", encoding="utf-8")
    argv = [str(program), "pip", "install", "--python", str(python), "--no-deps", "--require-hashes"]
    argv += torch_build.find_links_options(links)
    commands.run([*argv, *build.options, "--requirements", str(requirements)], "installing torch")
    lock = ["--build-constraints", str(library.lock), "--requirements", str(library.lock)]
    commands.run([*argv, *lock], "installing the packages")


def _probe(commands: Commands, python: Path, modules: list[str]) -> dict[str, Any]:
    """What the environment says of itself after importing `modules`; CommandFailed when it cannot.

    `-I` lets Python write bytecode even where PYTHONDONTWRITEBYTECODE is set. So the proof that an
    installation works also compiles what jobs import, and no job has to: most of a library's files are
    never imported, and compiling them all takes several times as long.
    """
    argv = [str(python), "-I", str(Path(probe.__file__)), *modules]
    printed = commands.run(argv, "importing", quiet=True)
    try:
        found = json.loads(printed.splitlines()[-1])
    except (IndexError, ValueError):
        raise CommandFailed(argv, 1, printed) from None
    return dict(found)


def _write_marker(
    work: Path, library: Library, build: TorchBuild, found: dict[str, Any], parts: list[str]
) -> None:
    marker = {
        "version": MARKER_VERSION,
        "library": library.name,
        "lock_digest": library.lock_digest,
        "python": found["python"],
        "torch": {
            "version": found["torch"],
            "cuda": found["cuda"],
            "wheel": build.wheel,
            "sha256": build.sha256,
            "chosen": build.why,
        },
        "packages": found["packages"],
        "parts": parts,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    write_atomic(work / MARKER, json.dumps(marker, indent=1) + "\n")


def _put(work: Path, place: Path) -> None:
    """Rename the new environment into its place, and remove what was there."""
    if not os.path.lexists(place):
        os.rename(work, place)
        return
    with _hidden(place, "old") as old:
        os.rename(place, old)
        os.rename(work, place)


@contextlib.contextmanager
def _hidden(place: Path, role: str) -> Iterator[Path]:
    """A name beside `place` for a folder that is gone afterwards, whatever happens."""
    folder = place.with_name(f".{place.name}.{role}-{os.getpid()}.tmp")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
