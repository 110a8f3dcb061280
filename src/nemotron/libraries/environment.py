"""Where a library's environment is, and whether it is whole. Reads small files; starts nothing.

An environment is a virtual environment with a `library.json` in it. It is built elsewhere and renamed into
place, so a folder of the right name that holds the marker is complete. Where the library comes with the
machine instead (a container, a cluster's module), `NEMOTRON_<LIBRARY>_PYTHON` names the Python that has it.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nemotron.diagnostic import Diagnostic, Failure, blocked
from nemotron.files import cache_folder
from nemotron.libraries.spec import Library, OptionalPart, load

MARKER = "library.json"
MARKER_VERSION = 1


@dataclass(frozen=True)
class Environment:
    """A library that is installed.

    `torch` is the version that torch states of itself (`2.13.0+cpu`), `cuda` the CUDA version that it was
    built for, and `packages` maps every installed package to its version. `parts` are the optional parts that
    it has; None where nobody knows, as of a Python that the machine brings.
    """

    name: str
    folder: Path
    lock_digest: str
    python_version: str
    torch: str
    cuda: str | None
    created: str
    packages: dict[str, str]
    program: Path | None = None
    parts: tuple[str, ...] | None = None

    @property
    def python(self) -> Path:
        """The interpreter to start jobs with."""
        return self.program or python_of(self.folder)

    def variables(self) -> dict[str, str]:
        """What a job's process needs in its environment: the programs of the library's packages on PATH.

        The C++ parts of a library are built by `ninja`, which is one of those programs.
        """
        path = os.environ.get("PATH", os.defpath)
        return {"PATH": f"{self.python.parent}{os.pathsep}{path}"}


def find(name: str) -> Environment | None:
    """The environment of a library, or None when it is not installed or is broken.

    Reads two files of `locks/` and one of the environment: a few milliseconds. Failure NMT607 or NMT608
    when there is no such library, NMT609 when the Python that the user names for it is not there.
    """
    return current(load(name))


def current(library: Library) -> Environment | None:
    """What `find` finds, for a library that is loaded already."""
    if (found := outside(library)) is not None or library.elsewhere:
        return found
    return read(folder_of(library), library)


def require(name: str, *, gpus: bool = False) -> Environment:
    """The environment of a library; Failure NMT601 or NMT611, blocked, when there is none.

    With `gpus`, one whose torch cannot use a GPU does not count.
    """
    library = load(name)
    name = library.name
    environment = current(library)
    command = f"nemotron library install {name}"
    if environment is None and library.elsewhere:
        raise Failure(comes_from_elsewhere(library))
    if environment is None:
        raise Failure(blocked("NMT601", f"the library '{name}' is not installed", fix=command))
    if gpus and environment.cuda is None:
        raise Failure(
            blocked(
                "NMT601",
                f"the library '{name}' is installed with torch {environment.torch}, which cannot use a GPU",
                fix=f"{command} --torch cuda",
            )
        )
    return environment


def comes_from_elsewhere(library: Library) -> Diagnostic:
    """NMT611, blocked: where a library that cannot be installed here comes from."""
    source = library.elsewhere
    assert source is not None
    return blocked(
        "NMT611",
        f"the library '{library.name}' is not installed by nemotron: {source.why}",
        detail=f"it comes with {source}",
        fix=f"on a host that has it: export {library.variable}=python",
    )


def lacking(library: Library, environment: Environment) -> list[OptionalPart]:
    """The optional parts that an environment is known to be without."""
    has = environment.parts
    return [] if has is None else [part for part in library.description.optional if part.name not in has]


def root() -> Path:
    """The folder that holds the environments of all libraries and checkouts of this user."""
    return cache_folder().absolute() / "libraries"


def folder_of(library: Library) -> Path:
    """Where the environment of a library is, or would be."""
    return root() / f"{library.name}-{library.lock_digest[:12]}-py{library.python}"


def python_of(folder: Path) -> Path:
    """The interpreter of the virtual environment in `folder`."""
    return folder / "bin" / "python"


def read(folder: Path, library: Library) -> Environment | None:
    """The environment in `folder`, or None when it is not a whole one of this library's lock."""
    marker = _read_marker(folder / MARKER)
    if marker.get("version") != MARKER_VERSION or marker.get("lock_digest") != library.lock_digest:
        return None
    if not os.access(python_of(folder), os.X_OK):
        return None
    return Environment(
        name=library.name,
        folder=folder,
        lock_digest=library.lock_digest,
        python_version=marker["python"],
        torch=marker["torch"]["version"],
        cuda=marker["torch"]["cuda"],
        created=marker["created"],
        packages=marker["packages"],
        parts=tuple(marker.get("parts", ())),
    )


def left_over(library: Library) -> list[Path]:
    """Environments of this library that this checkout does not use: of other locks or other Pythons."""
    used = folder_of(library)
    found = root().glob(f"{library.name}-????????????-py*")
    return sorted(folder for folder in found if folder != used and (folder / MARKER).is_file())


def outside(library: Library) -> Environment | None:
    """The Python that `NEMOTRON_<LIBRARY>_PYTHON` names, if any; Failure NMT609 when it is not there."""
    variable = library.variable
    named = os.environ.get(variable)
    if not named:
        return None
    found = shutil.which(named)
    if found is None:
        raise Failure(
            blocked(
                "NMT609",
                f"{variable} names {named}, which is not there",
                fix=f"correct or unset {variable}",
            )
        )
    program = Path(found).absolute()
    return Environment(
        name=library.name,
        folder=program.parent,
        lock_digest=f"outside:{program}",
        python_version="of its own",
        torch="of its own",
        cuda="of its own",
        created="",
        packages={},
        program=program,
    )


def _read_marker(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
