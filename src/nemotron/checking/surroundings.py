"""Is everything there that the run needs: the program, the library, the GPUs? Asks the machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from nemotron.catalog.catalog import Step
from nemotron.config.layers import read_layers
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
    name = request.step.manifest.step.library
    source = spec.load(name).elsewhere if name else None
    image = request.config.run.container_image or (source.image if source else None)
    command = upstream_command(request, image)
    yield blocked(
        "NMT612",
        f"this release has no program for {request.step.id}: it can be planned and checked, not run",
        fix=f"on a prepared host, with the library's own program: {command}" if command else "",
    )


def library_is_installed(request: StepRequest) -> Iterator[Diagnostic]:
    """The environment of the step's library is complete, and its torch can use the GPUs that there are."""
    name = request.step.manifest.step.library
    if name is None:
        return
    try:
        require(name, gpus=request.gpus > 0 and bool(probe.gpus()))
    except Failure as failure:
        for found in failure.diagnostics:
            is_elsewhere = found.code == "NMT611"
            command = with_its_python(request, spec.load(name)) if is_elsewhere else ""
            yield replace(found, fix=f"on a host that has it: {command}") if is_elsewhere else found


def gpus_are_there(request: StepRequest) -> Iterator[Diagnostic]:
    """No more GPUs or nodes are asked for than this machine has."""
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
        has = f"this machine has {available or 'none'}"
        small = "; `-c tiny` runs without a GPU" if not available and _tiny_needs_none(request.step) else ""
        yield blocked(
            "NMT620",
            f"{request.gpus} GPUs are asked for, {has}",
            where=request.config.document.place("run.gpus") if is_configs else None,
            fix=f"--gpus {available}{small}",
        )


def _tiny_needs_none(step: Step) -> bool:
    """Whether the step has a tiny config that is for the CPU."""
    tiny = step.config_folder / "tiny.yaml"
    return tiny.is_file() and (read_layers(tiny).get("run.gpus") or 0) == 0
