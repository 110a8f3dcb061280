"""Where a training's weights come from: its own last checkpoint, a Megatron one, the HF model, or nowhere.

The first that there is, in this order. Tidies the output folder of what a killed attempt left half-written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nemotron.backends.job import Job, JobError
from nemotron.backends.megatron import iterations, whole


@dataclass(frozen=True)
class Start:
    """What training starts from, in words too; `pretrained` is a Megatron checkpoint of the base."""

    words: str
    iteration: int = 0
    pretrained: Path | None = None
    hf_weights: bool = False


def choose(config: Mapping[str, Any], base: Path) -> Start:
    """What to start from. JobError NMT861 when the Megatron checkpoint that is named is not whole, NMT849."""
    save = Path(config["checkpoint"]["save"])
    load = config["checkpoint"].get("load")
    if load is not None and Path(load).resolve() != save.resolve():
        raise JobError(
            "NMT849",
            f"checkpoint.load names {load}, and training goes on only from what is in checkpoint.save",
            fix="checkpoint.load=null; checkpoint.pretrained_checkpoint=RUN/iter_… gives weights to begin",
        )
    named = config["checkpoint"].get("pretrained_checkpoint")
    pretrained = whole.iteration(named, "checkpoint.pretrained_checkpoint") if named else None
    last = iterations.newest_whole(save)
    if last is not None:
        number = iterations.number_of(last) or 0
        return Start(f"goes on from iteration {number} in {save}", number, pretrained)
    if pretrained is not None:
        return Start(f"starts from the Megatron checkpoint {pretrained}", 0, pretrained)
    if config.get("load_hf_weights", True):
        return Start(f"starts from the weights of {base}", hf_weights=True)
    return Start(f"starts from random weights in the shape of {base}")


def apply(start: Start, job: Job, container: Any, bridge: Any) -> None:
    """Set the container to start there. The main process tidies the output folder before."""
    save = Path(job.config["checkpoint"]["save"])
    if job.is_main:
        save.mkdir(parents=True, exist_ok=True)
        iterations.tidy(save)
    checkpoint = container.checkpoint
    checkpoint.save = checkpoint.load = str(save)
    checkpoint.pretrained_checkpoint = None
    if start.pretrained is not None:
        folder = job.folder / "pretrained"
        if job.is_main:
            iterations.point_at(folder, start.pretrained)
        checkpoint.pretrained_checkpoint = str(folder)
    if start.hf_weights:
        container.model.perform_initialization = False
        container.model.register_pre_wrap_hook(bridge.load_hf_weights)
