"""CPU stand-ins for what Megatron-Bridge 0.3.1 asks of CUDA. Nothing here is applied where there is CUDA.

The library takes a GPU for granted: it asks `torch.cuda` for memory, streams and random states, makes
tensors on the device `cuda`, and imports Transformer Engine, which has no CPU build.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

# What a model is built with where there are no kernels for a GPU.
_WITHOUT_KERNELS = (
    "persist_layer_norm",
    "gradient_accumulation_fusion",
    "bias_dropout_fusion",
    "bias_activation_fusion",
    "apply_rope_fusion",
    "masked_softmax_fusion",
    "cross_entropy_loss_fusion",
    "moe_permute_fusion",
    "moe_grouped_gemm",
)
_STAND_IN = "_nemotron_cpu"


def stand_in_for_cuda() -> bool:
    """Replace the calls of `torch.cuda`, and send what is meant for `cuda` to the CPU; whether it had to."""
    import torch

    if getattr(torch.cuda, _STAND_IN, False):
        return True
    if torch.cuda.is_available():
        return False
    setattr(torch.cuda, _STAND_IN, True)
    for name, stand_in in _cuda_calls(torch).items():
        setattr(torch.cuda, name, stand_in)
    torch.nn.Module.cuda = lambda self, *_, **__: self
    _cuda_to_cpu(torch)().__enter__()
    return True


def _cuda_calls(torch: Any) -> dict[str, Any]:
    """The functions and classes of `torch.cuda` that the library uses without asking for a GPU."""
    nothing = (
        "set_device", "synchronize", "empty_cache", "set_stream", "set_rng_state_all",
        "reset_peak_memory_stats", "reset_max_memory_allocated",
    )  # fmt: skip
    memory = ("memory_allocated", "max_memory_allocated", "memory_reserved", "max_memory_reserved")
    properties = types.SimpleNamespace(major=0, minor=0, total_memory=0, name="cpu")
    return {
        # A function each: the compiler of torch keeps a table of them, and refuses one that is in it twice.
        **{name: functools.partial(_nothing, name) for name in nothing},
        **{name: functools.partial(_zero, name) for name in memory},
        "current_device": lambda: torch.device("cpu"),
        "get_device_capability": lambda *_, **__: (0, 0),
        "get_device_properties": lambda *_, **__: properties,
        "memory_stats": lambda *_, **__: {},
        "get_rng_state": lambda *_, **__: torch.get_rng_state(),
        "get_rng_state_all": list,
        "set_rng_state": lambda state, *_, **__: torch.set_rng_state(state),
        # `torch.manual_seed` itself calls the second of them.
        "manual_seed": torch.default_generator.manual_seed,
        "manual_seed_all": functools.partial(_nothing, "manual_seed_all"),
        "Stream": _Stream,
        "Event": _Event,
        "current_stream": _Stream,
        "default_stream": _Stream,
        "stream": lambda stream: contextlib.nullcontext(),
    }


class _Stream:
    """A CUDA stream whose methods do nothing: on a CPU, what is called has been computed when it returns."""

    def __init__(self, *_: Any, **__: Any) -> None:
        return None

    def __getattr__(self, name: str) -> Callable[..., None]:
        return functools.partial(_nothing, name)


class _Event(_Stream):
    def elapsed_time(self, *_: Any) -> float:
        return 0.0

    def query(self) -> bool:
        return True


def _cuda_to_cpu(torch: Any) -> Any:
    """A mode of torch in which every tensor that is asked for on `cuda` is on the CPU."""
    from torch.overrides import TorchFunctionMode

    def is_cuda(device: Any) -> bool:
        return str(device).partition(":")[0] == "cuda" and isinstance(device, (str, torch.device))

    class CudaToCpu(TorchFunctionMode):  # type: ignore[misc]
        def __torch_function__(
            self, function: Any, _: Any, arguments: tuple[Any, ...] = (), keywords: Any = None
        ) -> Any:
            keywords = keywords or {}
            if function in (torch.Tensor.cuda, torch.Tensor.pin_memory):
                return arguments[0]
            if is_cuda(keywords.get("device")):
                keywords = {**keywords, "device": "cpu"}
            if keywords.get("pin_memory"):
                keywords = {**keywords, "pin_memory": False}
            if function is torch.Tensor.to and any(is_cuda(given) for given in arguments[1:]):
                arguments = tuple("cpu" if is_cuda(given) else given for given in arguments)
            return function(*arguments, **keywords)

    return CudaToCpu


def import_without_transformer_engine() -> None:
    """Import `megatron.bridge.peft`, whose LoRA modules import Transformer Engine without asking for it.

    An empty Transformer Engine is there while they are imported, and gone afterwards: Megatron-core is
    imported before, and finds none.
    """
    loaded = "megatron.bridge.peft.lora" in sys.modules
    if loaded or importlib.util.find_spec("transformer_engine") is not None:
        return
    for name in ("megatron.core.models.gpt.gpt_layer_specs", "megatron.core.optimizer"):
        importlib.import_module(name)
    with _empty_transformer_engine():
        importlib.import_module("megatron.bridge.peft.lora")
    # Both modules take a class that Megatron-core makes of a mock for Transformer Engine's.
    for name in ("megatron.bridge.peft.utils", "megatron.bridge.peft.module_matcher"):
        importlib.import_module(name).HAVE_TE = False  # type: ignore[attr-defined]


@contextlib.contextmanager
def _empty_transformer_engine() -> Iterator[None]:
    from torch import nn

    class Linear(nn.Linear):  # type: ignore[misc]
        pass

    engine, pytorch = (_package(name) for name in ("transformer_engine", "transformer_engine.pytorch"))
    pytorch.Linear = pytorch.LayerNormLinear = Linear  # type: ignore[attr-defined]
    pytorch.ops = types.SimpleNamespace(Sequential=nn.Sequential)  # type: ignore[attr-defined]
    engine.pytorch = pytorch  # type: ignore[attr-defined]
    sys.modules.update({module.__name__: module for module in (engine, pytorch)})
    try:
        yield
    finally:
        for module in (engine, pytorch):
            del sys.modules[module.__name__]


def _package(name: str) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__path__ = []
    module.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
    return module


def seed_without_cuda() -> None:
    """Let training start without CUDA, with the CPU's random numbers in place of the GPU's."""
    import torch

    random = importlib.import_module("megatron.core.tensor_parallel.random")
    setup = importlib.import_module("megatron.bridge.training.setup")
    if getattr(setup, _STAND_IN, False):
        return
    random._get_cuda_rng_state = lambda *_, **__: torch.get_rng_state()  # type: ignore[attr-defined]
    random._set_cuda_rng_state = lambda state, *_, **__: torch.set_rng_state(state)  # type: ignore[attr-defined]
    initialize = setup.initialize_megatron

    @functools.wraps(initialize)
    def initialize_without_cuda(cfg: Any, **keywords: Any) -> Any:
        result = initialize(cfg=cfg, **{**keywords, "allow_no_cuda": True})
        random.model_parallel_cuda_manual_seed(cfg.rng.seed)  # the library does this only with a GPU
        return result

    setup.initialize_megatron = initialize_without_cuda  # type: ignore[attr-defined]
    setattr(setup, _STAND_IN, True)


def clip_without_cuda() -> None:
    """Let gradients on the CPU be clipped: Megatron-core's own function takes those of a GPU alone."""
    optimizer = importlib.import_module("megatron.core.optimizer.optimizer")
    optimizer.clip_grad_by_total_norm_fp32 = _clip  # type: ignore[attr-defined]


def _clip(parameters: Any, max_norm: float, total_norm: float, use_decoupled_grad: bool = False) -> None:
    scale = max_norm / (total_norm + 1.0e-6)
    for parameter in parameters if scale < 1.0 else ():
        if parameter.grad is not None:
            parameter.grad.mul_(scale)


def scatter_whole_tensors() -> None:
    """Let conversions in tensor parallel hand out the right numbers.

    They split a weight into views and scatter those. On the way to a GPU a view becomes a tensor of its own;
    on a CPU it stays one, and gloo sends the memory from its beginning on.
    """
    mapping = importlib.import_module("megatron.bridge.models.conversion.param_mapping").MegatronParamMapping
    if getattr(mapping, _STAND_IN, False):
        return
    scatter = mapping.scatter_to_tp_ranks

    @functools.wraps(scatter)
    def scatter_contiguous(self: Any, splits: Any, *arguments: Any, **keywords: Any) -> Any:
        whole = [split.contiguous() for split in splits] if splits else splits
        return scatter(self, whole, *arguments, **keywords)

    mapping.scatter_to_tp_ranks = scatter_contiguous
    setattr(mapping, _STAND_IN, True)


def fit_to_cpu(provider: Any) -> None:
    """Make a model provider build layers of plain torch in 32 bits, as the CPU has no kernels for others."""
    import torch
    from megatron.bridge.models.gpt_provider import local_layer_spec

    provider.transformer_layer_spec = local_layer_spec
    for name in _WITHOUT_KERNELS:
        setattr(provider, name, False)
    provider.use_cpu_initialization = True
    provider.bf16 = provider.fp16 = False
    provider.params_dtype = provider.pipeline_dtype = torch.float32
    provider.autocast_dtype = None


def _nothing(_: str, *__: Any, **___: Any) -> None:
    return None


def _zero(_: str, *__: Any, **___: Any) -> int:
    return 0
