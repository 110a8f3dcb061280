"""The trainings of `megatron_gpu.py layouts`, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

SIZES = {
    "tp": "tensor_model_parallel_size",
    "pp": "pipeline_model_parallel_size",
    "cp": "context_parallel_size",
    "ep": "expert_model_parallel_size",
    "sp": "sequence_parallel",
}


@dataclass(frozen=True)
class Case:
    """One training: a kind of step, a model, the GPUs and the layout on them."""

    name: str
    gpus: int
    layout: dict[str, Any] = field(default_factory=dict)
    kind: str = "sft"
    model: str = "dense"


CASES = [
    Case("sft on 1", 1),
    Case("lora on 1", 1, kind="peft"),
    Case("dp 2", 2),
    Case("tp 2", 2, {"tp": 2, "sp": True}),
    Case("pp 2", 2, {"pp": 2}),
    Case("moe on 1", 1, model="moe"),
    Case("pp 4", 4, {"pp": 4}),
    Case("tp 2 pp 2", 4, {"tp": 2, "pp": 2}),
    Case("cp 2 dp 2", 4, {"cp": 2}),
    Case("moe ep 4", 4, {"ep": 4}, model="moe"),
]
