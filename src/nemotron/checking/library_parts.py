"""Does the installed library have the optional parts that a config needs? Reads the library's record."""

from __future__ import annotations

from collections.abc import Iterator

from nemotron.checking.surroundings import runs_in_our_environment
from nemotron.config.tree import MISSING
from nemotron.diagnostic import Diagnostic, Failure, blocked
from nemotron.libraries import spec
from nemotron.libraries.environment import Environment, current, lacking
from nemotron.libraries.spec import Library, Needed, OptionalPart
from nemotron.planning.parallel import shape_for
from nemotron.planning.prepared_host import with_its_python
from nemotron.planning.request import StepRequest


def parts_are_there(request: StepRequest) -> Iterator[Diagnostic]:
    """The environment has every part that the config needs; without an environment NMT601 says so."""
    if request.library is None or not runs_in_our_environment(request):
        return
    library = spec.load(request.library)
    try:
        environment = current(library)
    except Failure:
        return
    if environment is None:
        return
    for part in lacking(library, environment):
        needed = next((need for need in part.needed if _needs(request, need, environment)), None)
        if needed is not None:
            yield _without(request, library, part, needed)


def _without(request: StepRequest, library: Library, part: OptionalPart, needed: Needed) -> Diagnostic:
    command = f"nemotron library install {library.name} --reinstall"
    builds = f"`{command}` builds it where there is a GPU{''.join(f' and {p}' for p in part.programs)}"
    container = f"in the container {library.image}: {with_its_python(request, library)}"
    return blocked(
        "NMT643",
        f"the installed {library.name} is without {part.name}, which this config needs",
        detail="; ".join(filter(None, [f"it is for {part.why}", builds, needed.instead])),
        where=request.config.document.place(needed.key) if needed.key else None,
        fix=container if library.image else "",
    )


def _needs(request: StepRequest, need: Needed, environment: Environment) -> bool:
    if need.gpus:  # a torch that cannot use one is told by NMT601
        return request.gpus > 0 and environment.cuda is not None
    if need.key is not None:
        return request.config.document.get(need.key) not in (None, MISSING)
    shape = shape_for(request) if need.mamba else None
    return shape is not None and shape.mamba_heads is not None
