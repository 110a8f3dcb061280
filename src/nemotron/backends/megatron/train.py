"""One training job: the library's container from the job's config, its own training loop, what came out.

Pretraining, fine-tuning of all weights and adapters differ in their config alone. Reads the base model's
folder and the data; writes the checkpoint folder.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

from nemotron.backends.hf_folder import local_folder
from nemotron.backends.job import Job, JobError, Output
from nemotron.backends.megatron import (
    adapter,
    bases,
    compat,
    container,
    datasets,
    iterations,
    library,
    models,
    start,
)
from nemotron.backends.megatron.progress import Progress, Tokens


def main(job: Job) -> list[Output]:
    """Train as the config says. Exits with 143, and no outputs, when TERM stopped the training early."""
    config = job.config
    without_cuda = library.prepare()
    _check_packed(config, without_cuda=without_cuda)
    remote_code = bool(config.get("trust_remote_code"))
    base = local_folder(config["hf_model_path"], "hf_model_path", config.get("revision"), code=remote_code)
    if config.get("dataset", {}).get("data_paths") is None and not container.is_packed(config):
        datasets.require_generation_markers(base)
    bridge = models.bridge_of(base, remote_code=remote_code)
    built = container.build(job, base, bridge, without_cuda=without_cuda)
    chosen = start.choose(config, base)
    if built.peft is not None and chosen.pretrained is None:
        chosen = bases.converted(job, base, bridge, built.model, chosen, without_cuda=without_cuda)
    start.apply(chosen, job, built, bridge)
    compat.save_each_step_once(chosen.iteration)
    compat.keep_the_writers_queue_through_term()
    compat.cut_packs_at_their_own_ends()
    compat.tell_every_stage_of_packs()
    if job.is_main:
        print(f"training {chosen.words}", flush=True)
    _train(job, built, bridge, base)
    return _outputs(job, built) if job.is_main else []


def _check_packed(config: dict[str, Any], *, without_cuda: bool) -> None:
    """JobError NMT847 when packed conversations cannot be trained on here."""
    if not container.is_packed(config):
        return
    if without_cuda or importlib.util.find_spec("transformer_engine") is None:
        lacking = "a GPU" if without_cuda else "Transformer Engine"
        raise JobError(
            "NMT847",
            f"packed conversations need Transformer Engine, and so a GPU: there is no {lacking}",
            fix="train on unpacked ones: dataset.packed_sequence_specs=null dataset.dataset_root=FILE.jsonl",
        )


def _train(job: Job, built: Any, bridge: Any, base: Path) -> None:
    from megatron.bridge.training.gpt_step import forward_step
    from megatron.bridge.training.pretrain import pretrain

    save = Path(built.checkpoint.save)

    def check(model: Any) -> None:
        if built.peft is not None:
            adapter.require_layers(job, model, built.peft.target_modules)

    def export(model: Any) -> None:
        if built.peft is not None:
            adapter.write(save / adapter.FOLDER, model, bridge, built.peft, base, job)

    tokens = Tokens()
    progress = Progress(job, tokens, check, export)
    try:
        pretrain(built, tokens.counted(forward_step), callbacks=progress.callbacks())
    except SystemExit:
        if progress.was_stopped():
            sys.exit(143)


def _outputs(job: Job, built: Any) -> list[Output]:
    """The artifact of the newest checkpoint. JobError NMT802 when training left none."""
    save = Path(built.checkpoint.save)
    newest = iterations.newest_whole(save)
    if newest is None:
        raise JobError(
            "NMT802", f"the training left no checkpoint in {save}", fix="set checkpoint.save_interval"
        )
    facts: dict[str, str | int] = {"iteration": iterations.number_of(newest) or 0}
    if built.peft is not None:
        return [Output("checkpoint_lora", save / adapter.FOLDER, facts)]
    return [Output("checkpoint_megatron", iterations.link_latest(save, newest), facts)]
