"""Which keys AutoModel's recipe and its targets know, from their source. Parses it, imports nothing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from config_reads import config_reads
from signatures import Found, Function, Sources, looked_up, package_version

PACKAGE = "nemo_automodel"
RECIPES = "nemo_automodel.recipes"
RECIPE = f"{RECIPES}.llm.train_ft.TrainFinetuneRecipeForNextTokenPrediction"
TYPED_CONFIG = f"{RECIPES}._typed_config"
COMPONENTS = "nemo_automodel.components"
OPTIMIZERS = f"{COMPONENTS}.optim.optimizer"
DISTRIBUTED = f"{COMPONENTS}.distributed"
BACKENDS = f"{COMPONENTS}.models.common"
LOADER = f"{COMPONENTS}.datasets.loader"
TOKENIZER = "nemo_automodel.NeMoAutoTokenizer.from_pretrained"
MODEL = "nemo_automodel.NeMoAutoModelForCausalLM"


@dataclass(frozen=True)
class Section:
    """A table of the config: what its keys are passed to, and which further ones the recipe takes.

    Open: the keys are those of the table's own `_target_`, or are passed on to something that takes any.
    `factory` names a key whose value, as a dotted path, hands the table to a class of the user's own.
    `choice` is a key and its default; `choices` the literal that maps its values to what takes further keys.
    """

    passed_to: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    open: bool = False
    factory: str | None = None
    choice: tuple[str, str] = ("", "")
    choices: tuple[str, str] = ("", "")


_DATASET = Section(also=("tokenizer",), open=True)
_TOKENIZER = Section((TOKENIZER,), open=True)
_BY_TARGET = Section(open=True)

# Sections that the recipe hands on as they are. Those that it reads key by key are found in its source.
# `*` stands for the entries of a list, or for the rest of a name.
SECTIONS = {
    "checkpoint": Section((f"{COMPONENTS}.checkpoint.config.CheckpointingConfig",), ("restore_from",)),
    "comet": Section((f"{COMPONENTS}.loggers.loggers.CometConfig",)),
    "compile": Section((f"{COMPONENTS}.utils.compile_utils.CompileConfig",)),
    "dataloader.dataset": _DATASET,
    "dataset": _DATASET,
    "dataset.tokenizer": _TOKENIZER,
    "distributed": Section(
        also=("activation_checkpointing", "moe", "pipeline", "strategy"),
        choice=("strategy", "fsdp2"),
        choices=(f"{DISTRIBUTED}.config", "_STRATEGY_MAP"),
    ),
    "distributed.moe": Section((f"{DISTRIBUTED}.config.MoEParallelizerConfig",)),
    "distributed.mp_policy": Section(("torch.distributed.fsdp.MixedPrecisionPolicy",), open=True),
    "distributed.multimodal": Section((f"{DISTRIBUTED}.config.MultimodalDistributedConfig",)),
    "distributed.multimodal.vision": Section((f"{DISTRIBUTED}.config.MultimodalVisionConfig",)),
    "distributed.multimodal.vision.frame_sharding": Section(
        (f"{DISTRIBUTED}.cp_vision_frame_shard.CpVisionFrameShardingConfig",)
    ),
    "distributed.offload_policy": Section(("torch.distributed.fsdp.CPUOffloadPolicy",), open=True),
    "distributed.pipeline": Section((f"{DISTRIBUTED}.pipelining.config.PipelineConfig",)),
    "domain_mixture": Section((f"{COMPONENTS}.training.domain_mixture.DomainMixtureConfig",)),
    "domain_mixture.domains.*": Section((f"{COMPONENTS}.training.domain_mixture.DomainWeightConfig",)),
    "embedding_row_repair": Section(
        (f"{COMPONENTS}.training.embedding_row_repair.EmbeddingRowRepairConfig",)
    ),
    "fp8": Section((f"{COMPONENTS}.quantization.fp8.FP8Config",)),
    "freeze_config": Section((f"{COMPONENTS}.utils.model_utils.FreezeConfig",)),
    "freeze_config.freeze_modules.*": Section((f"{COMPONENTS}.utils.model_utils.ModuleSelector",)),
    "freeze_config.unfreeze_modules.*": Section((f"{COMPONENTS}.utils.model_utils.ModuleSelector",)),
    "loss_fn": _BY_TARGET,
    "lr_scheduler": Section((f"{OPTIMIZERS}.LRSchedulerConfig",)),
    "mfu": Section(("nemo_automodel._transformers.mfu.MFUConfig",)),
    "mlflow": Section((f"{COMPONENTS}.loggers.loggers.MLflowConfig",)),
    "model": Section(
        (f"{MODEL}.from_pretrained", f"{MODEL}.from_config"),
        ("attn_implementation", "backend", "config", "trust_remote_code"),
        open=True,
    ),
    # One family of models reads a backend of its own.
    "model.backend": Section((f"{BACKENDS}.BackendConfig",), open=True),
    "model.backend.cuda_graph": Section((f"{BACKENDS}.CudaGraphConfig",)),
    "model.backend.mok": Section((f"{BACKENDS}.MoKBackendConfig",)),
    "model.backend.te_fp8": Section((f"{BACKENDS}.utils.TEFp8Config",)),
    "optimizer": Section(also=("param_group_overrides",), open=True),
    "optimizer.param_group_overrides.*": Section((f"{OPTIMIZERS}.ParamGroupOverride",)),
    "packed_sequence": Section(
        (f"{LOADER}.ThdPackingConfig", f"{LOADER}.NeatPackingConfig"),
        ("packing_strategy",),
        factory="packing_strategy",
    ),
    "peft": _BY_TARGET,
    "prewarm": Section((f"{COMPONENTS}.training.prewarm.PrewarmConfig",)),
    "step_scheduler": Section((f"{COMPONENTS}.training.step_scheduler.StepSchedulerConfig",)),
    "tool_call_eval": _BY_TARGET,
    "validation_dataset*": _DATASET,
    "validation_dataset*.tokenizer": _TOKENIZER,
    "wandb": Section((f"{COMPONENTS}.loggers.loggers.WandbConfig",), ("enable",), open=True),
}
DATALOADERS = ("dataloader", "validation_dataloader")

# Sections of the library's own files that this recipe does not read, and the keys that do the same.
UNREAD: dict[str, list[str]] = {"benchmark": [], "ci": [], "nemo_run": [], "rng": ["seed"], "skypilot": []}

# Modules whose public classes and factories are all listed: a target below them that is not is a mistake.
COVERED = (
    "nemo_automodel._transformers.auto_config",
    "nemo_automodel._transformers.auto_model",
    "nemo_automodel._transformers.auto_tokenizer",
    f"{COMPONENTS}._peft.lora",
    f"{COMPONENTS}.datasets.llm",
    f"{COMPONENTS}.datasets.utils",
    f"{COMPONENTS}.distributed.config",
    f"{COMPONENTS}.eval",
    f"{COMPONENTS}.loss",
    f"{COMPONENTS}.models.common.utils",
    f"{COMPONENTS}.models.gpt2",
    f"{COMPONENTS}.optim",
    f"{COMPONENTS}.quantization",
    f"{COMPONENTS}.training.rng",
)
EXPORTS = ("nemo_automodel", BACKENDS)
TORCH = (
    "torch.distributed.fsdp.CPUOffloadPolicy",
    "torch.distributed.fsdp.MixedPrecisionPolicy",
    "torch.optim.Adam",
    "torch.optim.AdamW",
    "torch.optim.SGD",
)
_FACTORY = re.compile(r"^(?:build|create|make)_|collat")


def schema(sources: Sources) -> dict[str, Any]:
    return {
        "library": "automodel",
        "version": package_version(sources, PACKAGE),
        "recipes": [RECIPE],
        "covered": sorted(COVERED),
        "sections": sections(sources),
        "targets": targets(sources),
    }


def sections(sources: Sources) -> dict[str, dict[str, Any]]:
    """The keys of every table that the recipe reads; the top is the section without a name."""
    known = {name: _section(sources, section) for name, section in SECTIONS.items()}
    known["distributed"]["keys"] |= _literal(sources, f"{RECIPES}._dist_utils", "_PARALLELISM_DEFAULTS")
    known["packed_sequence"]["keys"] |= _literal(sources, LOADER, "_LEGACY_PACKING_FIELDS")
    known["step_scheduler"]["keys"] |= _literal(sources, TYPED_CONFIG, "_STEP_SCHEDULER_RUNTIME_KEYS")
    for name in DATALOADERS:
        known[name] = {"keys": _dataloader_keys(sources), "open": False}
    tops = {name.split(".")[0] for name in known}
    typed = {node.name for node in _recipe_config(sources).body if isinstance(node, Function)}
    for path in config_reads(sources, RECIPE):
        if path[0] in tops or path[0] in typed:
            continue
        for end in range(len(path)):
            section = known.setdefault(".".join(path[:end]), {"keys": set(), "open": False})
            section["keys"].add(path[end])
    top = known[""]
    if read := UNREAD.keys() & top["keys"]:
        raise SystemExit(f"the recipe reads {', '.join(sorted(read))} now: take it out of UNREAD")
    top["keys"] |= tops | {"recipe", "validation_dataset"}
    top["unread"] = UNREAD
    return {name: {**known[name], "keys": sorted(known[name]["keys"])} for name in sorted(known)}


def targets(sources: Sources) -> dict[str, dict[str, Any]]:
    """The keywords of every class and factory that a config may name in a `_target_`.

    A further name of the same thing, or of what the library puts in its place, says `same_as`.
    """
    listed = {**{name: name for name in TORCH}, **_stand_ins(sources)}
    for name, found in _callables(sources):
        listed[name] = listed.get(found.dotted, found.dotted)
    for name in set(listed.values()) - listed.keys():
        listed[name] = name
    return {
        name: _target(sources, name) if name == same else {"same_as": same}
        for name, same in sorted(listed.items())
    }


def _section(sources: Sources, section: Section) -> dict[str, Any]:
    keys = set(section.also).union(*(sources.signature(name).keys for name in section.passed_to))
    entry: dict[str, Any] = {"keys": keys, "open": section.open}
    if section.factory:
        entry["factory"] = section.factory
    if section.choice[0]:
        module = section.choices[0]
        taken_by = {
            value: sorted(sources.signature(f"{module}.{name}").keys - keys)
            for value, name in _mapping(sources, *section.choices).items()
        }
        entry["choice"] = {"key": section.choice[0], "default": section.choice[1], "keys": taken_by}
    return entry


def _dataloader_keys(sources: Sources) -> set[str]:
    """The recipe takes a data loader's table apart by itself, whatever its `_target_` would take."""
    methods = {node.name: node for node in _recipe_config(sources).body if isinstance(node, Function)}
    return looked_up(methods["_resolve_dataloader"], "loader_kwargs") | looked_up(
        methods["_dataset_and_dataloader_nodes"], "dataloader_node"
    )


def _recipe_config(sources: Sources) -> ast.ClassDef:
    found = sources.find(f"{TYPED_CONFIG}.RecipeConfig")
    assert found is not None
    assert isinstance(found.node, ast.ClassDef)
    return found.node


def _target(sources: Sources, name: str) -> dict[str, Any]:
    signature = sources.signature(name)
    return {"keys": sorted(signature.keys), "open": signature.open}


def _stand_ins(sources: Sources) -> dict[str, str]:
    """Targets whose table the library gives to a config class of its own in their place."""
    datasets = {str(k): str(v) for k, v in _mapping(sources, LOADER, "_DATASET_CONFIGS").items()}
    optimizers = {
        f"dion.{name}": f"{OPTIMIZERS}.{config}"
        for name, config in _mapping(sources, OPTIMIZERS, "_DION_CONFIG_FOR").items()
    }
    covered = {name: config for name, config in datasets.items() if name.startswith(COVERED)}
    return covered | optimizers


def _callables(sources: Sources) -> Iterator[tuple[str, Found]]:
    """Every name in the covered modules that a `_target_` can be; a package's re-exports count as its own."""
    modules = [module for name in COVERED for module in sources.modules_below(name)]
    for module in [*modules, *(m for name in EXPORTS for m in [sources.module(name)] if m is not None)]:
        for name in module.bindings:
            found = None if name.startswith("_") else sources.find(f"{module.name}.{name}")
            if found is None or not (found.module is module or module.is_package):
                continue
            if isinstance(found.node, ast.ClassDef):
                yield f"{module.name}.{name}", found
                for method, inner in sources.class_methods(found).items():
                    if method.startswith("from_"):
                        yield f"{module.name}.{name}.{method}", inner
            elif _FACTORY.search(name):
                yield f"{module.name}.{name}", found


def _mapping(sources: Sources, module: str, name: str) -> dict[Any, Any]:
    value = _value(sources, module, name)
    assert isinstance(value, dict)
    return value


def _literal(sources: Sources, module: str, name: str) -> set[str]:
    value = _value(sources, module, name)
    assert isinstance(value, Iterable)
    return {str(item) for item in value}


def _value(sources: Sources, module: str, name: str) -> object:
    found = sources.module(module)
    assert found is not None, f"there is no module {module}"
    return found.constant(name)
