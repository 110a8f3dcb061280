"""The Python that a step's job runs under: its library's environment, or ours when it names none."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

from nemotron.catalog.catalog import Step
from nemotron.libraries import environment, spec


@dataclass(frozen=True)
class Interpreter:
    """A Python program, what stands for its packages in a key, and the variables that its jobs need."""

    python: Path
    digest: str
    variables: dict[str, str] = field(default_factory=dict)
    description: str = ""
    installed: bool = True


def interpreter_of(step: Step) -> Interpreter:
    """The interpreter of a step; where its library is not installed, the one that an install would make."""
    name = step.manifest.step.library
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
