"""The pipeline file: what is at hand, what is wanted, the steps between. Writes YAML; reads nothing.

A run of one step is a pipeline of one step; the run store keeps it in this form.
"""

from __future__ import annotations

from typing import Any

from nemotron.config.secrets import redact_tree
from nemotron.config.yaml_places import dump_yaml
from nemotron.planning.promises import is_made_by
from nemotron.planning.request import StepRequest

VERSION = 1


def as_pipeline(request: StepRequest) -> dict[str, Any]:
    """A pipeline of this one step, with the inputs that it is bound to as its `have`."""
    have: dict[str, Any] = {}
    inputs: dict[str, Any] = {}
    for bound in request.inputs:
        names = []
        for number, source in enumerate(bound.sources):
            name = bound.port.name if len(bound.sources) == 1 else f"{bound.port.name}_{number}"
            where = {"hub": source.hub} if source.hub else {"path": str(source.path)} if source.path else {}
            have[name] = {"type": bound.port.type, **(where or {"url": source.value})}
            names.append(name)
        inputs[bound.port.name] = names if bound.port.many else names[0]
    step: dict[str, Any] = {"step": request.step.id, "config": _config(request), "inputs": inputs}
    if settings := _settings(request):
        step["set"] = settings
    step["gpus"] = request.gpus
    if request.nodes > 1:
        step["nodes"] = request.nodes
    if request.profile is not None:
        step["profile"] = request.profile.name
    wanted = [port for port in request.step.manifest.produces if is_made_by(port, request.config.document)]
    name = request.name.replace("/", "-")
    return {
        "version": VERSION,
        "want": wanted[0].type if wanted else None,
        "have": have,
        "steps": {name: step},
    }


def _config(request: StepRequest) -> str:
    """The config's name; a path is made absolute."""
    named = request.config_name
    return str(request.config.source) if "/" in named or named.endswith((".yaml", ".yml")) else named


def _settings(request: StepRequest) -> dict[str, Any]:
    """What the command line set, as it was resolved, so that it means the same in any folder.

    A path or a name on an input is in `inputs`; what that cannot say, a list or a table, is set here.
    """
    document = request.config.document
    bound = {b.port.at: document.get(b.port.at) for b in request.inputs}
    settings: dict[str, Any] = {}
    for override in request.overrides:
        if override.deletes:
            settings[f"~{override.key}"] = None
        elif not isinstance(bound.get(override.key), str):
            resolved = document.get(override.key)
            settings[override.key] = override.value if None in (override.value, resolved) else resolved
    return {**settings, **{key: value for key, value in bound.items() if isinstance(value, dict | list)}}


def to_yaml(pipeline: dict[str, Any]) -> str:
    """The pipeline as YAML text, without anything that looks like a secret."""
    return dump_yaml(redact_tree(pipeline))
