"""CPU stand-ins for what AutoModel 0.7.0 asks of CUDA. Does nothing on a machine with CUDA.

The recipes call a few `torch.cuda` functions without asking whether there is a GPU, and put the model on
the current CUDA device. Both are replaced here, so that a recipe runs on a laptop or in CI unchanged.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any


def prepare_environment() -> None:
    """Before torch is imported: where no GPU device exists, skip the compiler that only pays off on one."""
    if not os.path.exists("/dev/nvidiactl") and not os.path.exists("/dev/nvidia0"):
        os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")


def stand_in_for_cuda() -> bool:
    """Replace the CUDA calls of the recipes where there is no CUDA; whether anything was replaced."""
    import torch

    if torch.cuda.is_available():
        return False
    for name in ("reset_peak_memory_stats", "empty_cache", "synchronize", "set_rng_state_all"):
        setattr(torch.cuda, name, _nothing)
    for name in ("max_memory_allocated", "memory_allocated", "current_device"):
        setattr(torch.cuda, name, _zero)
    torch.cuda.get_rng_state_all = list
    _build_models_on_cpu(torch.device("cpu"))
    return True


def _build_models_on_cpu(device: Any) -> None:
    import nemo_automodel._transformers.auto_model as auto_model
    import nemo_automodel._transformers.infrastructure as infrastructure

    for name in ("instantiate_infrastructure", "apply_model_infrastructure"):
        replacement = _on_device(getattr(infrastructure, name), device)
        for module in (infrastructure, auto_model):
            if hasattr(module, name):
                setattr(module, name, replacement)


def _on_device(function: Callable[..., Any], device: Any) -> Callable[..., Any]:
    @functools.wraps(function)
    def on_device(*arguments: Any, **keywords: Any) -> Any:
        if "device" in keywords:
            keywords["device"] = device
        return function(*arguments, **keywords)

    return on_device


def _nothing(*_: Any, **__: Any) -> None:
    return None


def _zero(*_: Any, **__: Any) -> int:
    return 0
