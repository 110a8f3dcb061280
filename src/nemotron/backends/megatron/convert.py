"""convert/hf_to_megatron and convert/megatron_to_hf: the library converts, and we prove that it lost nothing.

Each reads its input, writes a folder that was new, reads that back and compares all weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from nemotron.backends.carried_files import copy_all, copy_tokenizer
from nemotron.backends.hf_folder import local_folder, require_safetensors, tensor_shapes
from nemotron.backends.job import Job, JobError, Output, write_json
from nemotron.backends.megatron import compare, library, models, whole, world
from nemotron.backends.output import new_folder

RESULT = "conversion.json"
_ITERATION = "iter_0000000"


def hf_to_megatron(job: Job) -> list[Output]:
    """Run convert/hf_to_megatron. JobError NMT340, NMT702, NMT704 and NMT860 to NMT863."""
    config = job.config
    without_cuda = library.prepare()
    base = _base(config)
    weights = _names(base)
    layout, dtype = world.Layout.of(config), config["torch_dtype"]
    bridge = models.bridge_of(base, remote_code=bool(config.get("trust_remote_code")))
    provider = models.provider_of(bridge, layout, dtype, without_cuda=without_cuda)
    output = Path(config["megatron_path"])
    if job.is_main:
        new_folder(str(output), "megatron_path")
    checkpoint = output / _ITERATION
    with world.groups(provider):
        model = models.build(provider)
        bridge.load_hf_weights(model)
        bridge.save_megatron_model(model, output, hf_tokenizer_path=base)
        models.empty(model)
        models.fill_from_checkpoint(model, checkpoint)
        exported = _counted(job, bridge.export_hf_weights(model, cpu=True, show_progress=False), len(weights))
        found = compare.with_folder(exported, base, is_main=job.is_main)
    if job.is_main:
        copy_tokenizer(base, checkpoint / "tokenizer")
        record(checkpoint, found, dtype, base)
    return [Output("checkpoint_megatron", checkpoint)]


def megatron_to_hf(job: Job) -> list[Output]:
    """Run convert/megatron_to_hf. JobError NMT340, NMT702, NMT704 and NMT860 to NMT863."""
    config = job.config
    without_cuda = library.prepare()
    newest = config.get("iteration") == "latest"
    checkpoint = whole.iteration(config["megatron_path"], "megatron_path", newest_of_run=newest)
    base = _base(config)
    dtype, remote_code = config["torch_dtype"], bool(config.get("trust_remote_code"))
    bridge = models.bridge_of(base, remote_code=remote_code)
    provider = models.provider_of(bridge, world.Layout.of(config), dtype, without_cuda=without_cuda)
    models.take_vocabulary(provider, checkpoint)
    output = Path(config["hf_path"])
    if job.is_main:
        new_folder(str(output), "hf_path")
    with world.groups(provider):
        model = models.build(provider)
        models.fill_from_checkpoint(model, checkpoint)
        found = write_hf(job, bridge, model, base, output, strict=bool(config.get("strict", True)))
    if job.is_main:
        record(output, found, dtype, checkpoint)
    return [Output("checkpoint_hf", output)]


def write_hf(
    job: Job, bridge: Any, model: list[Any], base: Path, output: Path, *, strict: bool = True
) -> compare.Comparison:
    """Write the model as a Hugging Face folder in the form of `base`, read it back into it, and compare.

    All processes must call it; the main one writes, and knows what was left out.
    """
    left_out = write_hf_files(job, bridge, model, base, output, strict=strict)
    before = models.copies(model)
    if not left_out:
        models.empty(model)
    models.bridge_of(output, remote_code=bool(bridge.hf_pretrained.trust_remote_code)).load_hf_weights(model)
    found = compare.of_models(before, models.copies(model))
    found.tensors, found.left_out = len(_names(output)), left_out
    return found


def write_hf_files(
    job: Job, bridge: Any, model: list[Any], base: Path, output: Path, *, strict: bool = True
) -> list[str]:
    """Write the model, an adapter merged into it, as a Hugging Face folder; the names that it left out.

    All processes must call it. JobError NMT862 when model and base do not have the same weights.
    """
    wanted = _names(base)
    exported = bridge.export_hf_weights(model, cpu=True, show_progress=False)
    source = bridge.hf_pretrained.state.source
    try:
        source.save_generator(_counted(job, exported, len(wanted)), output, strict=strict)
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
    left_out = sorted(wanted - _names(output))
    if left_out and strict:
        raise JobError(
            "NMT862",
            f"the checkpoint lacks {len(left_out)} weights of {base.name}, {left_out[0]} for one",
            file=base,
            fix="hf_model_path=THE MODEL THAT THE TRAINING STARTED FROM; strict=false leaves them out",
        )
    return left_out


def _base(config: dict[str, Any]) -> Path:
    base = local_folder(
        config["hf_model_path"],
        "hf_model_path",
        config.get("revision"),
        code=bool(config.get("trust_remote_code")),
    )
    require_safetensors(base)
    return base


def _names(folder: Path) -> set[str]:
    """The names of the weights in a Hugging Face folder."""
    return {name for file in require_safetensors(folder) for name in tensor_shapes(file)}


def _counted(job: Job, weights: Iterable[tuple[str, Any]], total: int) -> Iterator[tuple[str, Any]]:
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
