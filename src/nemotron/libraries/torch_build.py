"""Which build of torch fits this machine: asks the kernel for a GPU, and uv for what can be had.

The builds are tried in the order of `candidates`; the first that resolves is taken. uv resolves it together
with all that only it brings (CUDA's libraries, triton), under the library's lock as a constraint.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from nemotron.libraries.commands import CommandFailed, Commands
from nemotron.libraries.spec import Library

Wanted = Literal["auto", "cpu", "cuda"]

_NAME = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==", re.MULTILINE)


@dataclass(frozen=True)
class Candidate:
    """A build of torch that may be had: what to ask uv for, with which options, and why that one."""

    why: str
    requirement: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class TorchBuild:
    """A build of torch that can be had, with what only it brings.

    `requirements` are lines of a requirements file, each with the digest of the one file that fits.
    """

    version: str
    wheel: str
    sha256: str
    why: str
    options: tuple[str, ...]
    requirements: tuple[str, ...]

    @property
    def brings_cuda(self) -> bool:
        return any(line.startswith("nvidia-") for line in self.requirements)


class NoTorch(Exception):
    """No build of torch can be had; `last` is why the last candidate failed."""

    def __init__(self, last: CommandFailed) -> None:
        super().__init__("no build of torch can be had")
        self.last = last


def nvidia_gpu() -> bool:
    """Whether this machine has an NVIDIA GPU with a driver, whatever CUDA_VISIBLE_DEVICES says."""
    driver = Path("/proc/driver/nvidia/gpus")
    if driver.is_dir() and any(driver.iterdir()):
        return True
    program = shutil.which("nvidia-smi")
    if program is None:
        return False
    try:
        answer = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return False
    return answer.returncode == 0 and "GPU " in answer.stdout


def wants_cuda(wanted: Wanted, *, driver: bool) -> bool:
    """Whether a CUDA build is what to look for. $UV_TORCH_BACKEND overrules what the machine has."""
    if wanted == "auto":
        return driver and not os.environ.get("UV_TORCH_BACKEND")
    return wanted == "cuda"


def candidates(version: str, *, cuda: bool, driver: bool, find_links: Sequence[str]) -> list[Candidate]:
    """The builds to try, best first. $UV_TORCH_BACKEND, uv's own setting, decides before all else.

    A CUDA build is also made where no driver says which CUDA it knows: on the login node of a cluster.
    """
    any_build = f"torch=={version}"
    with_cuda = f"{any_build},!={version}+cpu"
    chosen = os.environ.get("UV_TORCH_BACKEND")
    first = []
    if chosen:
        first = [Candidate(f"UV_TORCH_BACKEND={chosen}", any_build, ("--torch-backend", chosen))]
    if cuda:
        for_driver = Candidate("the CUDA build for this driver", with_cuda, ("--torch-backend", "auto"))
        default = Candidate("the index's default build, with CUDA", with_cuda)
        return [*first, for_driver, default] if driver else [*first, default]
    local = [Candidate("a CPU wheel from find-links", f"{any_build}+cpu")] if find_links else []
    return [
        *first,
        *local,
        Candidate("PyTorch's CPU build", any_build, ("--torch-backend", "cpu")),
        Candidate("the index's default build, as no CPU build was found", any_build),
    ]


def choose(
    commands: Commands, uv: Path, library: Library, python: Path, wanted: Wanted, find_links: Sequence[str]
) -> TorchBuild:
    """The first candidate that can be had for `python`; NoTorch when there is none."""
    version, driver = library.torch.version, nvidia_gpu()
    cuda = wants_cuda(wanted, driver=driver)
    last = CommandFailed([str(uv)], 1, "")
    for candidate in candidates(version, cuda=cuda, driver=driver, find_links=find_links):
        try:
            return _resolve(commands, uv, library, python, candidate, find_links)
        except CommandFailed as problem:
            commands.report(f"torch {version}: {candidate.why}: not to be had")
            last = problem
    raise NoTorch(last)


def find_links_options(find_links: Sequence[str]) -> list[str]:
    """uv's options for looking in these places too."""
    return [part for place in find_links for part in ("--find-links", place)]


def _resolve(
    commands: Commands,
    uv: Path,
    library: Library,
    python: Path,
    candidate: Candidate,
    find_links: Sequence[str],
) -> TorchBuild:
    """Let uv resolve one candidate; what it finds stays in the environment, as `pylock.torch.toml`."""
    folder = python.parent.parent
    request, found = folder / "torch.in", folder / "pylock.torch.toml"
    request.write_text(candidate.requirement + "\n", encoding="utf-8")
    found.unlink(missing_ok=True)
    argv = [str(uv), "pip", "compile", str(request), "--output-file", str(found), "--format", "pylock.toml"]
    argv += ["--python", str(python), "--constraints", str(library.lock), "--no-header", "--quiet"]
    argv += [*find_links_options(find_links), *candidate.options]
    commands.run(argv, "looking for a build of torch", quiet=True)
    packages = tomllib.loads(found.read_text(encoding="utf-8"))["packages"]
    locked = {_normal(name) for name in _NAME.findall(library.lock.read_text(encoding="utf-8"))}
    wheels = [_Wheel.of(p, folder) for p in packages if p["name"] not in locked]
    if missing := [wheel.package for wheel in wheels if not wheel.sha256]:
        raise CommandFailed(argv, 1, f"no wheel with a digest fits for {', '.join(missing)}")
    torch = next(wheel for wheel in wheels if wheel.package == "torch")
    return TorchBuild(
        version=torch.version,
        wheel=unquote(torch.url).rpartition("/")[2],
        sha256=torch.sha256,
        why=candidate.why,
        options=candidate.options,
        requirements=tuple(wheel.requirement() for wheel in wheels),
    )


@dataclass(frozen=True)
class _Wheel:
    """The one file of a package that fits; `url` and `sha256` are empty where uv states none."""

    package: str
    version: str
    url: str
    sha256: str

    @classmethod
    def of(cls, package: dict[str, Any], folder: Path) -> _Wheel:
        """Read a package of a pylock file that lies in `folder`.

        Some versions of uv leave the digest of a file on this disk to its reader.
        """
        name, version = package["name"], package["version"]
        if not package.get("wheels"):
            return cls(name, version, "", "")
        wheel = package["wheels"][0]
        url = wheel.get("url") or (folder / wheel["path"]).resolve().as_uri()
        digest = wheel["hashes"].get("sha256", "")
        local = Path(unquote(urlsplit(url).path))
        if not digest and url.startswith("file:") and local.is_file():
            with open(local, "rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return cls(name, version, url, digest)

    def requirement(self) -> str:
        """A line of a requirements file that only this file meets.

        `torch==2.13.0` is met by 2.13.0+cpu too, and uv would prefer it: torch then names its file.
        """
        pinned = f"{self.package}=={self.version}"
        if self.package == "torch" and "+" not in self.version:
            pinned = f"{self.package} @ {self.url}"
        return f"{pinned} --hash=sha256:{self.sha256}"


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
