"""The Python that a step's job runs under: its profile's, its library's, or ours when neither names one."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

from nemotron.libraries import environment, spec
from nemotron.planning.request import StepRequest
from nemotron.profiles.profile import Profile


@dataclass(frozen=True)
class Interpreter:
    """A Python program, what stands for its packages in a key, and the variables that its jobs need."""

    python: Path
    digest: str
    variables: dict[str, str] = field(default_factory=dict)
    description: str = ""
    installed: bool = True


def interpreter_for(request: StepRequest) -> Interpreter:
    """The interpreter of the profile's container or the Python that it names, else that of the step."""
    profile, image = request.profile, request.config.run.container_image
    if profile is None:
        return interpreter_of(request.library)
    if image is not None and not profile.is_local:
        return Interpreter(Path(profile.python or "python"), image, description=image)
    if profile.python is not None:
        return _of_profile(profile, profile.python)
    if profile.host is not None and request.library is None:
        return _of_profile(profile, "python3")
    return interpreter_of(request.library)


def _of_profile(profile: Profile, python: str) -> Interpreter:
    """A Python that has what is needed; one of this machine is looked up in PATH."""
    found = python if not profile.is_local else shutil.which(python)
    where = f"{profile.host}:" if profile.host else ""
    program = Path(found or python)
    described = f"{python}, of the profile '{profile.name}'"
    return Interpreter(
        program, f"outside:{where}{program}", description=described, installed=found is not None
    )


def interpreter_of(name: str | None) -> Interpreter:
    """The interpreter of a library, or ours; where none is installed, the one that an install would make."""
    if name is None:
        return Interpreter(Path(sys.executable), "nemotron", description="nemotron's own Python")
    found = environment.find(name)
    if found is None:
        library = spec.load(name)
        if library.elsewhere:
            described = f"{name} (comes with {library.elsewhere})"
            return Interpreter(Path("python"), library.lock_digest, description=described, installed=False)
        python = environment.python_of(environment.folder_of(library))
        return Interpreter(
            python, library.lock_digest, description=f"{name} (not installed)", installed=False
        )
    description = f"{name}, torch {found.torch}, Python {found.python_version}"
    return Interpreter(found.python, found.lock_digest, found.variables(), description)
