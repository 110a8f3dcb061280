"""Building a library's optional parts, which need a compiler for the GPU; goes on without what fails."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

from nemotron.diagnostic import Failure, error
from nemotron.libraries.commands import CommandFailed, Commands
from nemotron.libraries.spec import Library, OptionalPart
from nemotron.libraries.torch_build import find_links_options
from nemotron.nearest import did_you_mean

_CUDA = Path("/usr/local/cuda")
_MOST_JOBS = 16


def install(
    commands: Commands,
    uv: Path,
    library: Library,
    python: Path,
    links: Sequence[str],
    without: Collection[str] = (),
) -> list[str]:
    """Build what can be built into the environment of `python`, except the parts that are to be left out.

    Returns the names of the parts that it then has.
    """
    argv = [str(uv), "pip", "install", "--python", str(python), "--no-deps", "--no-build-isolation"]
    argv += ["--require-hashes", *find_links_options(links)]
    parts = [part for part in library.description.optional if part.name not in without]
    return [part.name for part in parts if _install(commands, argv, library, part, python)]


def check_names(library: Library, without: Collection[str]) -> None:
    """Failure NMT644 when a part that is to be left out is none of the library's."""
    known = [part.name for part in library.description.optional]
    for name in without:
        if name not in known:
            there_are = f"there are: {', '.join(known)}" if known else f"{library.name} has none"
            raise Failure(
                error(
                    "NMT644",
                    f"{library.name} has no part '{name}'",
                    fix=did_you_mean(name, known) or there_are,
                )
            )


def _install(commands: Commands, argv: list[str], library: Library, part: OptionalPart, python: Path) -> bool:
    environment = _build_environment(commands.environment, part, python)
    path = environment["PATH"]
    if absent := [program for program in part.programs if shutil.which(program, path=path) is None]:
        commands.report(_without(library, part, f"there is no {' and no '.join(absent)}"))
        return False
    builder = dataclasses.replace(commands, environment=environment)
    requirements = python.parent.parent / f"{part.name}.txt"
    requirements.write_text("\n".join(part.requirements) + "\n", encoding="utf-8")
    try:
        commands.report(
            f"building {part.name}, for {part.why}: {part.takes} (--without {part.name} leaves it out)"
        )
        builder.run([*argv, "--requirements", str(requirements)], f"building {part.name}")
    except CommandFailed as problem:
        commands.report(_without(library, part, _last_line(problem)))
        return False
    try:
        commands.run([str(python), "-I", "-c", f"import {part.module}"], f"importing {part.name}", quiet=True)
    except CommandFailed as problem:
        commands.report(_without(library, part, _last_line(problem)))
        names = [line.partition("==")[0] for line in part.requirements]
        uninstall = [argv[0], "pip", "uninstall", "--python", str(python), *names]
        commands.run(uninstall, f"removing {part.name}", quiet=True)
        return False
    return True


def _build_environment(own: dict[str, str], part: OptionalPart, python: Path) -> dict[str, str]:
    """The compiler on PATH, the headers that torch's CUDA packages bring, no more jobs than cores."""
    cuda = Path(own.get("CUDA_HOME", _CUDA))
    headers = sorted(python.parent.parent.glob("lib/python*/site-packages/nvidia/*/include"))
    return {
        **own,
        "PATH": os.pathsep.join([str(python.parent), own.get("PATH", os.defpath), str(cuda / "bin")]),
        "CPATH": os.pathsep.join([*map(str, headers), *filter(None, [own.get("CPATH")])]),
        "MAX_JOBS": own.get("MAX_JOBS", str(min(_MOST_JOBS, os.cpu_count() or 1))),
        **part.variables,
    }


def _without(library: Library, part: OptionalPart, why: str) -> str:
    has_it = f"; the container {library.image} has it" if library.image else ""
    return f"without {part.name}, which {part.why} need: {why}{has_it}"


def _last_line(problem: CommandFailed) -> str:
    lines = problem.output.strip().splitlines()
    return lines[-1].strip() if lines else f"status {problem.status}"
