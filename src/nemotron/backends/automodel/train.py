"""One training job: builds the recipe that the config names, runs it, says what it made.

The config is the recipe's own YAML. Reads the base model's folder and the data; writes the checkpoint folder.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

from nemotron.backends import blend
from nemotron.backends.automodel import checkpoints, cpu
from nemotron.backends.job import Job, JobError, Output

# What AutoModel calls the splits of a blend.json.
_SPLITS = {"train": "train", "valid": "validation", "test": "test"}


def main(job: Job) -> list[Output]:
    """Train as the config says. Exits with 143, and no outputs, when TERM stopped the training early."""
    cpu.prepare_environment()
    config = _recipe_config(job.config)
    recipe = _build(job, config)
    recipe.setup()
    recipe.run_train_validation_loop()
    if recipe.step_scheduler.sigterm_flag:
        sys.exit(143)
    _wait_for_all()
    if not job.is_main:
        return []
    folder = Path(job.config["checkpoint"]["checkpoint_dir"])
    return [checkpoints.finish(folder, config)]


def _build(job: Job, config: dict[str, Any]) -> Any:
    """The recipe's class, from the library, made to report each step to the job."""
    cpu.stand_in_for_cuda()
    from nemo_automodel.cli.utils import resolve_recipe_name
    from nemo_automodel.components.config.loader import ConfigNode

    try:
        module, _, name = resolve_recipe_name(str(config.get("recipe", ""))).rpartition(".")
        recipe_class = getattr(importlib.import_module(module), name)
    except (ValueError, ImportError, AttributeError) as problem:
        raise JobError("NMT225", f"'recipe' names nothing that AutoModel has: {problem}") from problem
    recipe = recipe_class(ConfigNode(config))
    log_train_metrics = recipe.log_train_metrics

    def report(sample: Any) -> None:
        log_train_metrics(sample)
        _report(job, recipe, sample)

    recipe.log_train_metrics = report
    return recipe


def _report(job: Job, recipe: Any, sample: Any) -> None:
    """One progress line: the step just done counts from 1, as people do."""
    if not job.is_main:
        return
    metrics = sample.metrics
    job.progress(
        sample.step + 1,
        recipe.step_scheduler.max_steps,
        loss=_number(metrics.get("loss")),
        tokens_per_s=_number(metrics.get("tps")),
        learning_rate=_number(metrics.get("lr")),
    )


def _recipe_config(config: dict[str, Any]) -> dict[str, Any]:
    """The config as the recipe takes it: no validation without data, each blend.json read."""
    config = dict(config)
    if (config.get("wandb") or {}).get("enable") is False:
        config.pop("wandb")  # AutoModel drops it too, but in its own command's argument parser
    if _data_path(config.get("validation_dataset")) is None:
        config.pop("validation_dataset", None)
        config.pop("validation_dataloader", None)
    for section in ("dataset", "validation_dataset"):
        file = blend.file_of(_data_path(config.get(section)))
        if file is not None:
            paths = {_SPLITS[name]: entries for name, entries in blend.read(file).items()}
            config[section] = {**config[section], "paths": paths}
    return config


def _data_path(section: Any) -> Any:
    """Where a data set's section says that its data is, by whichever key its class has for that."""
    table = section if isinstance(section, dict) else {}
    return next((table[key] for key in ("path_or_dataset_id", "paths") if table.get(key) is not None), None)


def _number(value: Any) -> float | None:
    return float(value) if value is not None else None


def _wait_for_all() -> None:
    """Every rank has written its part of the checkpoint."""
    import torch.distributed as distributed

    if distributed.is_initialized() and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        distributed.barrier()
