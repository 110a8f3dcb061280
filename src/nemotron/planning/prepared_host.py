"""The commands that a host runs which has what this machine lacks. Pure text; starts nothing."""

from __future__ import annotations

import re
from pathlib import Path
from shlex import join
from typing import Any

from nemotron.catalog.manifest import Upstream
from nemotron.config.secrets import redact_line
from nemotron.config.tree import MISSING
from nemotron.libraries.spec import Library
from nemotron.planning.request import StepRequest

_PLACEHOLDER = re.compile(r"\{([A-Za-z_][\w.]*)\}")


def asked_again(request: StepRequest) -> str:
    """The command line that asks for this request once more, without `--dry-run`."""
    words = ["nemotron", "steps", "run", request.step.id, "-c", request.config_name]
    stated = (request.config.run.gpus, request.step.manifest.step.gpus)
    if request.gpus != next(number for number in stated if number is not None):
        words += ["--gpus", str(request.gpus)]
    if request.nodes != (request.config.run.nodes or 1):
        words += ["--nodes", str(request.nodes)]
    if request.profile is not None:
        words += ["--run", request.profile.name]
    return join([*words, *(redact_line(override.argument) for override in request.overrides)])


def with_its_python(request: StepRequest, library: Library) -> str:
    """The same command on a host, or in a container, whose `python` has the library."""
    return f"{library.variable}=python {asked_again(request)}"


def upstream_command(request: StepRequest, image: str | None) -> str | None:
    """The library's own program for what the step does, in its container; None where there is none."""
    upstream = request.step.manifest.upstream
    if upstream is None:
        return None
    words = [word for part in upstream.argv for word in _filled_in(request, part)]
    words += _flags(request, upstream)
    return join([*_container(request, image), *words])


def _container(request: StepRequest, image: str | None) -> list[str]:
    """Docker on one host; on several, the cluster's own way of starting the image comes in its place."""
    if image is None or request.nodes > 1:
        return []
    here = str(Path.cwd())
    gpus = ["--gpus", "all", "--shm-size", "16g"] if request.gpus else []
    return ["docker", "run", "--rm", *gpus, "--volume", f"{here}:{here}", "--workdir", here, image]


def _filled_in(request: StepRequest, part: str) -> list[str]:
    if part == "{overrides}":
        return [redact_line(override.argument) for override in request.overrides if not override.deletes]
    return [_PLACEHOLDER.sub(lambda found: _value(request, found[1]), part)]


def _value(request: StepRequest, name: str) -> str:
    """What a placeholder stands for; a key without a value becomes a word to be replaced: MEGATRON_PATH."""
    counts = {
        "config": str(request.config.source),
        "gpus": str(request.gpus),
        "nodes": str(request.nodes),
        "gpus_per_node": str(max(1, request.gpus // max(1, request.nodes))),
    }
    if name in counts:
        return counts[name]
    value = request.config.document.get(name)
    return name.rpartition(".")[2].upper() if value is None or value == MISSING else _word(value)


def _flags(request: StepRequest, upstream: Upstream) -> list[str]:
    """The entries of a table of the config as flags: null ones are left out, true is a flag by itself."""
    table = request.config.document.get(upstream.flags) if upstream.flags else None
    words: list[str] = []
    for name, value in table.items() if isinstance(table, dict) else ():
        if value is None or value is False:
            continue
        words.append("--" + (name.replace("_", "-") if upstream.flag_style == "hyphen" else name))
        if isinstance(value, list):
            words += [_word(item) for item in value]
        elif value is not True:
            words.append(_word(value))
    return words


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
