"""What must not happen: secrets, unpinned code, pickle checkpoints, outputs over inputs. Reads folders."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from nemotron.artifacts.facts import is_hub_name
from nemotron.artifacts.megatron import iteration_of
from nemotron.config.secrets import looks_secret
from nemotron.config.tree import KeyPath, join_key, leaves
from nemotron.diagnostic import Diagnostic, error, warning
from nemotron.planning.request import StepRequest

_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_REVISIONS = ("revision", "code_revision")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_NOT_WEIGHTS = ("training_args.bin", "optimizer.pt", "scheduler.pt", "scaler.pt", "rng_state.pth")


def inlined_secrets(request: StepRequest) -> Iterator[Diagnostic]:
    """A literal that looks like a secret; its value is never printed."""
    document = request.config.document
    of_profile = request.profile.env_vars if request.profile else {}
    variables = {n: v for n, v in request.config.run.env_vars.items() if of_profile.get(n) != v}
    trees = {**document.tree, "run": {"env_vars": variables}}
    for path, value in leaves(trees):
        if looks_secret(join_key(path), value):
            where = document.place(path)
            if where is not None and where.argument is not None:
                where = type(where)(argument=f"{join_key(path)}=<redacted>")
            yield error(
                "NMT701",
                f"'{join_key(path)}' holds what looks like a secret",
                where=where,
                fix="put it into an environment variable and write ${oc.env:NAME}",
            )


def remote_code_is_pinned(request: StepRequest) -> Iterator[Diagnostic]:
    """Code from a hub is run only at a revision that cannot change under the user's feet."""
    document = request.config.document
    for path, value in leaves(document.tree):
        if path and path[-1] == "trust_remote_code" and value is True and not _is_pinned(request, path):
            key = join_key((*path[:-1], "revision"))
            yield warning(
                "NMT705",
                f"'{join_key(path)}' runs whatever code the model's page on the hub has at that moment",
                where=document.place(path),
                fix=f"set {join_key(path)}=false, or pin the commit that you have read: {key}=COMMIT",
            )


def pickle_checkpoints(request: StepRequest) -> Iterator[Diagnostic]:
    """A checkpoint whose weights are pickled can run any code when it is loaded.

    Megatron's own are left to its library, which has no other form for what lies beside the shards.
    """
    for bound in request.inputs:
        if not bound.port.type.startswith("checkpoint_") or bound.port.type == "checkpoint_megatron":
            continue
        for source in bound.sources:
            if source.path is None or not source.exists or iteration_of(source.path) >= 0:
                continue
            if pickled := _pickled(source.path):
                yield error(
                    "NMT702",
                    f"{source.value} holds pickled weights ({pickled}), which are not loaded",
                    where=request.config.document.place(source.key),
                    fix="save the model as safetensors: model.save_pretrained(FOLDER)",
                )


def outputs_over_inputs(request: StepRequest) -> Iterator[Diagnostic]:
    """An output folder that is an input, or lies above one."""
    for key, output in request.named_outputs().items():
        target = output.resolve()
        for bound in request.inputs:
            for source in bound.sources:
                if source.path is not None and _overlaps(target, source.path.resolve()):
                    yield error(
                        "NMT703",
                        f"the output '{key}' would write over the input '{bound.port.name}'",
                        where=request.config.document.place(key),
                        fix=f"name another folder, or leave {key} out",
                    )


def _is_pinned(request: StepRequest, path: KeyPath) -> bool:
    """Whether a commit stands beside the switch, or the models beside it are all local folders."""
    table = request.config.document.get(path[:-1]) if path[:-1] else request.config.tree
    if any(_COMMIT.fullmatch(str(table.get(name) or "")) for name in _REVISIONS):
        return True
    beside = table.values() if isinstance(table, dict) else ()
    from_hub = [source for bound in request.inputs for source in bound.sources if source.hub is not None]
    return not from_hub and not any(isinstance(value, str) and is_hub_name(value) for value in beside)


def _pickled(path: Path) -> str:
    """The name of a file of pickled weights, where there are no others; else an empty string."""
    if path.is_dir() and any(path.glob("*.safetensors")):
        return ""
    files = path.iterdir() if path.is_dir() else [path] if path.is_file() else []
    names = sorted(file.name for file in files if file.suffix in _PICKLES and file.name not in _NOT_WEIGHTS)
    return names[0] if names else ""


def _overlaps(output: Path, given: Path) -> bool:
    return output == given or output in given.parents
