"""Is everything there that the run needs: the program, the library, the GPUs? Asks the machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from nemotron.catalog.catalog import Step
from nemotron.config.yaml_places import read_yaml
from nemotron.diagnostic import Diagnostic, Failure, blocked
from nemotron.hardware import probe
from nemotron.libraries import spec
from nemotron.libraries.environment import require
from nemotron.planning.prepared_host import upstream_command, with_its_python
from nemotron.planning.request import StepRequest


def program_is_there(request: StepRequest) -> Iterator[Diagnostic]:
    """The step has a program of ours; where it has none, the library's own does it on a prepared host."""
    if request.step.program.is_file():
        return
    name = request.library
    image = request.config.run.container_image or (spec.load(name).image if name else None)
    command = upstream_command(request, image)
    yield blocked(
        "NMT612",
        f"this release has no program for {request.step.id}: it can be planned and checked, not run",
        fix=f"on a prepared host, with the library's own program: {command}" if command else "",
    )


def library_is_installed(request: StepRequest) -> Iterator[Diagnostic]:
    """The environment of the step's library is complete, and its torch can use the GPUs that there are."""
    name = request.library
    if name is None or not runs_in_our_environment(request):
        return
    try:
        require(name, gpus=request.is_local and request.gpus > 0 and bool(probe.gpus()))
    except Failure as failure:
        for found in failure.diagnostics:
            yield replace(found, fix=_on_its_host(request, name)) if found.code == "NMT611" else found


def gpus_are_there(request: StepRequest) -> Iterator[Diagnostic]:
    """No more GPUs or nodes are asked for than this machine has, where it is the one that runs the step."""
    if not request.is_local:
        return
    if request.nodes > 1:
        yield blocked(
            "NMT621",
            f"{request.nodes} nodes are asked for, and this machine is one",
            fix="--gpus N for what is here, or a profile of a cluster",
        )
    if request.gpus <= 0:
        return
    available = len(probe.gpus())
    if request.gpus > available:
        is_configs = request.gpus == request.config.run.gpus
        has = f"{'are' if request.gpus > 1 else 'is'} asked for, this machine has {available or 'none'}"
        yield blocked(
            "NMT620",
            f"{request.gpus} GPU{'s' * (request.gpus > 1)} {has}",
            where=request.gpus_at or (request.config.document.place("run.gpus") if is_configs else None),
            fix=f"--gpus {available}" if available else _without_a_gpu(request.step),
        )


def runs_in_our_environment(request: StepRequest) -> bool:
    """Whether the job's Python is one that `library install` made here: nothing names another one."""
    profile = request.profile
    if profile is None:
        return True
    in_container = not profile.is_local and request.config.run.container_image is not None
    return profile.host is None and profile.python is None and not in_container


def _on_its_host(request: StepRequest, library: str) -> str:
    """The command there; nothing where NMT612 shows that of the library's own program."""
    if not request.step.program.is_file() and request.step.manifest.upstream is not None:
        return ""
    return f"on a host that has it: {with_its_python(request, spec.load(library))}"


def _without_a_gpu(step: Step) -> str:
    """What to do on a machine without GPUs: most steps have a tiny config that needs none."""
    tiny = step.config_folder / "tiny.yaml"
    if tiny.is_file() and read_yaml(tiny, quick=True).get("run.gpus") == 0:
        return "--gpus 0; `-c tiny` runs without a GPU"
    if step.manifest.step.gpus == 0:
        return "--gpus 0"
    return "a machine with GPUs: this step has no config for the CPU"
