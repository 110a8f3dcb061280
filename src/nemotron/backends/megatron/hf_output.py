"""A Megatron model written out as a Hugging Face folder, read back, and what came of it recorded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from nemotron.backends.carried_files import copy_all
from nemotron.backends.hf_folder import require_safetensors, tensor_shapes
from nemotron.backends.job import Job, JobError, write_json
from nemotron.backends.megatron import compare, models, world

RESULT = "conversion.json"


def write(
    job: Job, bridge: Any, model: list[Any], base: Path, output: Path, *, strict: bool = True
) -> compare.Comparison:
    """Write the model as a Hugging Face folder in the form of `base`, read it back into it, and compare.

    All processes must call it; the main one writes, and knows what was left out.
    """
    left_out = write_files(job, bridge, model, base, output, strict=strict)
    before = models.copies(model)
    if not left_out:
        models.empty(model)
    models.bridge_of(output, remote_code=bool(bridge.hf_pretrained.trust_remote_code)).load_hf_weights(model)
    found = compare.of_models(before, models.copies(model))
    found.tensors, found.left_out = len(names(output)), left_out
    return found


def write_files(
    job: Job, bridge: Any, model: list[Any], base: Path, output: Path, *, strict: bool = True
) -> list[str]:
    """Write the model, an adapter merged into it, as a Hugging Face folder; the names that it left out.

    All processes must call it. JobError NMT862 when model and base do not have the same weights.
    """
    wanted = names(base)
    exported = bridge.export_hf_weights(model, cpu=True, show_progress=False)
    source = bridge.hf_pretrained.state.source
    try:
        source.save_generator(counted(job, exported, len(wanted)), output, strict=strict)
    except KeyError as problem:
        raise JobError(
            "NMT862",
            f"the checkpoint has a weight that {base.name} lacks: {problem.args[0]}",
            file=base,
            fix="hf_model_path=THE MODEL THAT THE TRAINING STARTED FROM; strict=false leaves it out",
        ) from problem
    if job.is_main:
        dtype = str(next(model[0].parameters()).dtype).removeprefix("torch.")
        copy_all(base, output, dtype=dtype)
    world.wait()
    left_out = sorted(wanted - names(output))
    if left_out and strict:
        raise JobError(
            "NMT862",
            f"the checkpoint lacks {len(left_out)} weights of {base.name}, {left_out[0]} for one",
            file=base,
            fix="hf_model_path=THE MODEL THAT THE TRAINING STARTED FROM; strict=false leaves them out",
        )
    return left_out


def names(folder: Path) -> set[str]:
    """The names of the weights in a Hugging Face folder."""
    return {name for file in require_safetensors(folder) for name in tensor_shapes(file)}


def counted(job: Job, weights: Iterable[tuple[str, Any]], total: int) -> Iterator[tuple[str, Any]]:
    """The weights as they come, told as the job's progress now and then."""
    every = max(1, total // 20)
    for done, weight in enumerate(weights, start=1):
        if done % every == 0 or done == total:
            job.progress(done, total, unit="tensors")
        yield weight


def record(folder: Path, found: compare.Comparison, dtype: str, source: Path) -> None:
    """Write what the comparison found beside the converted weights, and say it."""
    write_json(
        folder / RESULT,
        {"version": 1, "converted": str(source), "dtype": dtype, **found.as_dict()},
    )
    print(str(found), flush=True)
    if found.left_out:
        print("left out: " + ", ".join(found.left_out[:10]), flush=True)
