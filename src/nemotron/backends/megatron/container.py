"""The job's config as the library's ConfigContainer: a recipe of the library or an HF model, and our keys."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nemotron.backends.job import Job, JobError
from nemotron.backends.megatron import cpu, datasets
from nemotron.backends.megatron.fields import Setter
from nemotron.nearest import did_you_mean

# Keys of a config that are ours; all others are sections of the container.
OURS = ("recipe", "hf_model_path", "revision", "load_hf_weights", "trust_remote_code")
_RECIPES = "megatron.bridge.recipes"


def build(job: Job, base: Path, bridge: Any, *, without_cuda: bool) -> Any:
    """The whole container, without a start: where weights come from is set afterwards."""
    setter = Setter(job.folder / "config.yaml")
    sections = {name: value for name, value in job.config.items() if name not in OURS}
    container = _from_recipe(job.config["recipe"]) if job.config.get("recipe") else _plain(bridge)
    container.tokenizer.tokenizer_model = str(base)
    container.logger.tensorboard_dir = None
    container.train.exit_signal_handler = container.train.exit_signal_handler_for_dataloader = True
    if sections.get("mixed_precision") is None:
        _compute_in_float32(container)
    dataset = sections.pop("dataset", {})
    if isinstance(sections.get("peft"), dict):
        container.peft, sections["peft"] = _adapter(sections["peft"], setter)
    setter.set_all(container, sections, ())
    _fix_weight_decay(container, sections.get("scheduler") or {})
    container.dataset = _dataset(job, dataset, setter, container)
    _fit_layout(container)
    if without_cuda:
        _fit_to_cpu(container)
    return container


def is_packed(config: Mapping[str, Any]) -> bool:
    """Whether a config trains on packed conversations."""
    specs = (config.get("dataset") or {}).get("packed_sequence_specs") or {}
    return bool(specs.get("packed_train_data_path"))


def _plain(bridge: Any) -> Any:
    """A container with the library's own defaults around the model of an HF folder."""
    from megatron.bridge.training import config as library
    from megatron.bridge.training.tokenizers.config import TokenizerConfig

    return library.ConfigContainer(
        model=bridge.to_megatron_provider(load_weights=False),
        train=library.TrainingConfig(),
        optimizer=library.OptimizerConfig(),
        scheduler=library.SchedulerConfig(),
        dataset=None,
        logger=library.LoggerConfig(),
        tokenizer=TokenizerConfig(tokenizer_type="HuggingFaceTokenizer"),
        checkpoint=library.CheckpointConfig(),
    )


def _from_recipe(name: str) -> Any:
    """What a recipe of the installed library returns, by name or dotted path. JobError NMT225."""
    module, _, function = name.rpartition(".")
    module = module or _RECIPES
    try:
        recipes = importlib.import_module(module)
        recipe = getattr(recipes, function)
    except (ImportError, AttributeError) as problem:
        known = vars(importlib.import_module(_RECIPES))
        raise JobError(
            "NMT225",
            f"'recipe' names nothing that Megatron-Bridge has: {problem}",
            fix=did_you_mean(function, (each for each in known if each.endswith("_config"))),
        ) from problem
    return recipe()


def _adapter(section: Mapping[str, Any], setter: Setter) -> tuple[Any, dict[str, Any]]:
    """An adapter of the library of the `type` that the section names, and the section without it."""
    fields = dict(section)
    kind = str(fields.pop("type", "lora"))
    classes = _adapter_classes()
    if kind not in classes:
        raise setter.wrong_type(("peft", "type"), kind, "one of " + ", ".join(sorted(classes)))
    return classes[kind](), fields


def _adapter_classes() -> dict[str, type]:
    """The library's adapters by the name of the module that each is in: lora, canonical_lora, dora."""
    from megatron.bridge.peft.base import PEFT
    from megatron.bridge.peft.canonical_lora import CanonicalLoRA
    from megatron.bridge.peft.dora import DoRA
    from megatron.bridge.peft.lora import LoRA

    found: tuple[type[PEFT], ...] = (LoRA, CanonicalLoRA, DoRA)
    return {each.__module__.rpartition(".")[2]: each for each in found}


def _dataset(job: Job, section: Mapping[str, Any], setter: Setter, container: Any) -> Any:
    if section.get("data_paths") is None:
        return datasets.conversations(job, section, setter, container.train.global_batch_size)
    dataset = datasets.pretraining(section, setter)
    if not datasets.has_validation(dataset):
        container.train.eval_iters = 0
    return dataset


def _fix_weight_decay(container: Any, scheduler: Mapping[str, Any]) -> None:
    """Use the optimiser's weight decay, which the scheduler would otherwise overrule with its own."""
    for name in ("start_weight_decay", "end_weight_decay"):
        if scheduler.get(name) is None:
            setattr(container.scheduler, name, container.optimizer.weight_decay)


def _fit_layout(container: Any) -> None:
    """Pad conversations to the full length where pipeline or experts need every batch of one shape."""
    model, dataset = container.model, container.dataset
    fine_tuning = hasattr(dataset, "dataset_kwargs")
    if fine_tuning and (model.pipeline_model_parallel_size > 1 or model.expert_model_parallel_size > 1):
        dataset.dataset_kwargs = {"pad_to_max_length": True, **(dataset.dataset_kwargs or {})}


def _compute_in_float32(container: Any) -> None:
    """What `mixed_precision: null` means: weights, gradients and computation in 32 bits."""
    import torch

    model, optimizer = container.model, container.optimizer
    container.mixed_precision = None
    model.bf16 = model.fp16 = optimizer.bf16 = optimizer.fp16 = False
    model.params_dtype = model.pipeline_dtype = optimizer.params_dtype = torch.float32
    model.autocast_dtype = None


def _fit_to_cpu(container: Any) -> None:
    """A CPU computes in 32 bits, its processes talk over gloo, and each has all of the optimiser."""
    _compute_in_float32(container)
    cpu.fit_to_cpu(container.model)
    container.dist.distributed_backend = "gloo"
    container.comm_overlap = None
    container.optimizer.use_distributed_optimizer = container.ddp.use_distributed_optimizer = False
    container.ddp.overlap_grad_reduce = container.ddp.overlap_param_gather = False
    container.checkpoint.fully_parallel_save = False
    container.dataset.num_workers = 0
