"""What must not happen: secrets in configs, pickle checkpoints, outputs over inputs. Reads folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nemotron.config.secrets import looks_secret
from nemotron.config.tree import join_key, leaves
from nemotron.diagnostic import Diagnostic, error
from nemotron.planning.request import StepRequest

_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_NOT_WEIGHTS = ("training_args.bin", "optimizer.pt", "scheduler.pt", "scaler.pt", "rng_state.pth")


def inlined_secrets(request: StepRequest) -> Iterator[Diagnostic]:
    """A literal that looks like a secret; its value is never printed."""
    document = request.config.document
    trees = {**document.tree, "run": {"env_vars": request.config.run.env_vars}}
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


def pickle_checkpoints(request: StepRequest) -> Iterator[Diagnostic]:
    """A checkpoint whose weights are pickled can run any code when it is loaded."""
    for bound in request.inputs:
        if not bound.port.type.startswith("checkpoint_") or bound.port.type == "checkpoint_megatron":
            continue
        for source in bound.sources:
            if source.path is not None and source.exists and (pickled := _pickled(source.path)):
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


def _pickled(path: Path) -> str:
    """The name of a file of pickled weights, where there are no others; else an empty string."""
    if path.is_dir() and any(path.glob("*.safetensors")):
        return ""
    files = path.iterdir() if path.is_dir() else [path] if path.is_file() else []
    names = sorted(file.name for file in files if file.suffix in _PICKLES and file.name not in _NOT_WEIGHTS)
    return names[0] if names else ""


def _overlaps(output: Path, given: Path) -> bool:
    return output == given or output in given.parents
