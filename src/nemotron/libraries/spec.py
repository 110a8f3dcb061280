"""What libraries there are, as `locks/` describes them. Reads those files; starts and writes nothing.

They are found in the checkout's `locks/`, else in the installed wheel, and in every folder on
`NEMOTRON_LOCKS_PATH`.
"""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

from nemotron.catalog.toml_model import read_toml
from nemotron.diagnostic import Failure, Place, Related, error
from nemotron.nearest import did_you_mean

_PACKAGE = Path(__file__).resolve().parent.parent


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LockTable(_Table):
    """How the lock was compiled: whether with every dependency, and what was left out of it."""

    complete: bool
    leave_out: list[str] = []


class Megabytes(_Table):
    """About what is fetched for a build of torch, in MB."""

    cpu: int
    cuda: int


class TorchTable(_Table):
    """Which torch the library runs on."""

    version: str
    download_mb: Megabytes


class Needed(_Table):
    """When a config needs a part: it asks for GPUs, gives a key, or names a model with Mamba layers.

    `instead` says how to do without.
    """

    gpus: bool = False
    key: str | None = None
    mamba: bool = False
    instead: str = ""


class OptionalPart(_Table):
    """A part that is compiled for the GPU on the machine that installs, where that can be done.

    `requirements` are lines of a requirements file, with digests; `programs` and `variables` are what the
    build wants, `takes` says how long it is; `module` is imported as the proof.
    """

    name: str
    why: str
    module: str
    takes: str = "some minutes"
    programs: list[str] = []
    variables: dict[str, str] = {}
    requirements: list[str]
    needed: list[Needed] = []


class ElsewhereTable(_Table):
    """A library that is not installed here: the container image or the packages that have it, and why."""

    image: str | None = None
    packages: list[str] = []
    why: str

    def __str__(self) -> str:
        packages = " ".join(self.packages)
        forms = (
            f"the container image {self.image}" if self.image else "",
            packages and f"a Python with {packages}",
        )
        return " or ".join(filter(None, forms))


class Description(_Table):
    """A library's `.toml`: with a lock, or with where the library comes from instead.

    `image` is a container that has the library with all that an installation here may lack.
    """

    summary: str
    license: str
    aliases: list[str] = []
    image: str | None = None
    pythons: list[str] = []
    imports: list[str] = []
    lock: LockTable | None = None
    torch: TorchTable | None = None
    elsewhere: ElsewhereTable | None = None
    optional: list[OptionalPart] = []

    @model_validator(mode="after")
    def _has_a_source(self) -> Self:
        if self.elsewhere is not None:
            if self.lock or self.torch:
                raise ValueError("a library has [lock] and [torch], or [elsewhere], not both")
        elif not (self.lock and self.torch and self.pythons and self.imports):
            raise ValueError("pythons, imports, [lock] and [torch] are needed, or [elsewhere]")
        return self


@dataclass(frozen=True)
class Library:
    """A library as its files describe it. One that comes from elsewhere has no lock."""

    name: str
    description: Description
    lock: Path
    lock_digest: str

    @property
    def torch(self) -> TorchTable:
        """Which torch it runs on; only a library with a lock has one."""
        assert self.description.torch is not None, f"{self.name} comes from elsewhere"
        return self.description.torch

    @property
    def elsewhere(self) -> ElsewhereTable | None:
        """Where the library comes from, when it is not installed here."""
        return self.description.elsewhere

    @property
    def image(self) -> str | None:
        """The container image that has the library, if there is one."""
        return self.description.image or (self.elsewhere.image if self.elsewhere else None)

    @property
    def variable(self) -> str:
        """The environment variable that names a Python which has the library."""
        return f"NEMOTRON_{self.name.upper().replace('-', '_')}_PYTHON"

    @property
    def python(self) -> str:
        """The Python (`3.11`) that its environment is made for: the running one where it fits."""
        running = f"{sys.version_info.major}.{sys.version_info.minor}"
        return running if running in self.description.pythons else self.description.pythons[-1]


def names() -> list[str]:
    """The libraries there are, sorted."""
    return sorted(_descriptions())


def load(name: str) -> Library:
    """One library, by its name or an alias.

    Failure NMT607 when there is none of that name, NMT608 when its lock is missing.
    """
    known = _descriptions()
    if name not in known:
        name = _by_alias(known).get(name, name)
    if name not in known:
        hint = did_you_mean(name, known) or f"there are: {', '.join(sorted(known))}"
        raise Failure(error("NMT607", f"there is no library '{name}'", fix=hint))
    description = read_toml(known[name], Description)
    lock = known[name].with_suffix(".txt")
    if description.elsewhere is not None:
        return Library(name, description, lock, f"elsewhere:{description.elsewhere}")
    assert description.torch is not None
    if not lock.is_file():
        raise Failure(
            error(
                "NMT608",
                f"the library '{name}' has no lock: {lock.name} is missing",
                where=Place(file=str(known[name])),
                fix=f"locks/compile --folder {lock.parent} {name}",
            )
        )
    return Library(name, description, lock, _digest(lock, description.torch.version))


def _by_alias(known: dict[str, Path]) -> dict[str, str]:
    """Alias → name of a library; a library's own name goes before."""
    return {alias: name for name, file in known.items() for alias in read_toml(file, Description).aliases}


def _digest(lock: Path, torch: str) -> str:
    """What decides the packages of an environment, apart from the build of torch."""
    return hashlib.sha256(lock.read_bytes() + f"torch=={torch}\n".encode()).hexdigest()


def _descriptions() -> dict[str, Path]:
    """Library → its `.toml`. Failure NMT608 when two folders describe the same one."""
    found: dict[str, Path] = {}
    for folder in _folders():
        for file in sorted(folder.glob("*.toml")):
            if file.stem in found:
                raise Failure(
                    error(
                        "NMT608",
                        f"the library '{file.stem}' is described twice",
                        where=Place(file=str(file)),
                        related=(Related(Place(file=str(found[file.stem])), "and here"),),
                        fix="rename one of them, or correct NEMOTRON_LOCKS_PATH",
                    )
                )
            found[file.stem] = file
    return found


def _folders() -> list[Path]:
    checkout = _PACKAGE.parent.parent / "locks"
    own = checkout if (checkout / "compile").is_file() else _PACKAGE / "_locks"
    further = [Path(p).resolve() for p in os.environ.get("NEMOTRON_LOCKS_PATH", "").split(os.pathsep) if p]
    for folder in further:
        if not folder.is_dir():
            raise Failure(
                error(
                    "NMT608",
                    f"NEMOTRON_LOCKS_PATH names {folder}, which is not a folder",
                    fix="correct or unset NEMOTRON_LOCKS_PATH",
                )
            )
    return [own, *further]
