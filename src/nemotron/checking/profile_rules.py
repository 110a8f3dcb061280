"""Does the step fit the profile that it runs on: library, GPUs, secrets, paths? Reads the environment."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from nemotron.config.secrets import looks_secret
from nemotron.diagnostic import Diagnostic, Failure, blocked, error
from nemotron.hardware.gpu_table import gpu_kind
from nemotron.libraries import spec
from nemotron.planning.remote_paths import local_paths
from nemotron.planning.request import StepRequest
from nemotron.profiles.mounts import to_cluster
from nemotron.profiles.profile import Profile


def library_is_served(request: StepRequest) -> Iterator[Diagnostic]:
    """The profile serves the step's library, and says which Python has it where this machine cannot know."""
    profile, library = request.profile, request.library
    if profile is None or library is None:
        return
    served = profile.libraries
    if served is not None and _own_name(library) not in map(_own_name, served):
        named = ", ".join(served) or "none"
        yield blocked(
            "NMT622",
            f"the profile '{profile.name}' does not serve '{library}', the library of {request.step.id}",
            detail=f"it serves {named}",
            where=profile.place("libraries"),
            fix=f"a profile with the library, or add '{library}' to libraries if it is there",
        )
    elif not profile.is_local and profile.host is not None and _names_no_python(request, profile):
        yield blocked(
            "NMT622",
            f"the profile '{profile.name}' does not say which Python on {profile.host} has '{library}'",
            where=profile.place(""),
            fix='add python = "/path/to/bin/python", or a container_image',
        )


def python_is_there(request: StepRequest) -> Iterator[Diagnostic]:
    """The Python that a profile of this machine names is a program here."""
    profile = request.profile
    if profile is None or not profile.is_local or profile.python is None or profile.setup:
        return  # what `setup` loads may bring it
    if shutil.which(profile.python) is None:
        yield blocked(
            "NMT627",
            f"the Python of the profile '{profile.name}' is not there: {profile.python}",
            where=profile.place("python"),
            fix="correct python, or leave it out for that of the step's library",
        )


def room_is_enough(request: StepRequest) -> Iterator[Diagnostic]:
    """No more GPUs and nodes are asked for than the profile has."""
    profile = request.profile
    if profile is None:
        return
    if profile.nodes is not None and request.nodes > profile.nodes:
        yield error(
            "NMT623",
            f"{request.nodes} nodes are asked for, and the profile '{profile.name}' has {profile.nodes}",
            where=profile.place("nodes"),
            fix=f"--nodes {profile.nodes}, or a larger profile",
        )
    each = -(-request.gpus // request.nodes)
    if profile.gpus_per_node is not None and each > profile.gpus_per_node:
        most = profile.gpus_per_node * request.nodes
        yield error(
            "NMT623",
            f"{each} GPU{'s' * (each > 1)} on a node are asked for, and a node of the profile "
            f"'{profile.name}' has {profile.gpus_per_node}",
            where=profile.place("gpus_per_node"),
            fix=f"--gpus {most}" if most else "a profile with GPUs, or --gpus 0",
        )


def gpu_kind_is_known(request: StepRequest) -> Iterator[Diagnostic]:
    """The kind of GPU that the profile names is one of the table."""
    profile = request.profile
    if profile is None or profile.gpu is None:
        return
    try:
        gpu_kind(profile.gpu)
    except Failure as failure:
        for found in failure.diagnostics:
            yield replace(found, where=profile.place("gpu"))


def secrets_are_set(request: StepRequest) -> Iterator[Diagnostic]:
    """The variables whose values the profile hands on are set here."""
    profile = request.profile
    for name in profile.secrets if profile else ():
        if profile is not None and not os.environ.get(name):
            yield blocked(
                "NMT624",
                f"the environment variable {name} is not set, and '{profile.name}' hands it on",
                where=profile.place("secrets"),
                fix=f"export {name}=…, or take it out of secrets",
            )


def no_secret_is_written(request: StepRequest) -> Iterator[Diagnostic]:
    """The profile's variables and commands hold no secret; its value is never printed."""
    if request.profile is not None:
        yield from written_secrets(request.profile)


def written_secrets(profile: Profile) -> Iterator[Diagnostic]:
    """NMT720 for each value of a profile that looks like a secret."""
    values = [(f"env_vars.{name}", value) for name, value in profile.env_vars.items()]
    values += [(key, text) for key in ("setup", "sbatch") for text in getattr(profile, key)]
    for key, value in values:
        if looks_secret(key, value):
            name = key.partition(".")[2] or "NAME"
            yield error(
                "NMT720",
                f"'{key}' of the profile '{profile.name}' holds what looks like a secret",
                where=profile.place(key),
                fix=f'take it out, `export {name}=…`, and write secrets = ["{name}"]',
            )


def paths_are_visible(request: StepRequest) -> Iterator[Diagnostic]:
    """Every path of the config is one that the cluster sees."""
    profile = request.profile
    if profile is None:
        return
    for key, path in local_paths(request):
        if to_cluster(path, profile) is None:
            mounts = [f'"{mount}"' for mount in (*profile.mounts, f"{_folder(path)}:/THERE")]
            yield error(
                "NMT625",
                f"the cluster of '{profile.name}' does not see {path}",
                where=request.config.document.place(key),
                fix=f"in {profile.file.name}, [{profile.name}]: mounts = [{', '.join(mounts)}]",
            )


def _own_name(library: str) -> str:
    """A library's own name for an alias; an unknown one as it is."""
    try:
        return spec.load(library).name
    except Failure:
        return library


def _names_no_python(request: StepRequest, profile: Profile) -> bool:
    return profile.python is None and request.config.run.container_image is None


def _folder(path: Path) -> Path:
    """What one would mount to have the path: a folder itself, else the folder around it."""
    return path if path.is_dir() else path.parent
