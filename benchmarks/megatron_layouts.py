"""The layouts that `megatron_gpu.py` tries, as data: what the library must start, and what it must refuse."""

from __future__ import annotations

from typing import Any

# Three shapes, small enough to start in seconds: config.json of models that need no weights.
_COMMON = {"vocab_size": 32768, "max_position_embeddings": 4096, "rms_norm_eps": 1e-6, "hidden_act": "silu",
           "tie_word_embeddings": False, "torch_dtype": "bfloat16", "rope_theta": 10000.0}  # fmt: skip
SHAPES: dict[str, dict[str, Any]] = {
    "qwen3": {
        **_COMMON, "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_size": 512,
        "intermediate_size": 1536, "num_hidden_layers": 4, "num_attention_heads": 8,
        "num_key_value_heads": 4, "head_dim": 64,
    },
    "llama": {
        **_COMMON, "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 768,
        "intermediate_size": 2048, "num_hidden_layers": 6, "num_attention_heads": 12,
        "num_key_value_heads": 2, "head_dim": 64,
    },
    "qwen3-moe": {
        **_COMMON, "architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "hidden_size": 512,
        "intermediate_size": 1024, "num_hidden_layers": 4, "num_attention_heads": 8,
        "num_key_value_heads": 4, "head_dim": 64, "num_experts": 8, "num_experts_per_tok": 2,
        "moe_intermediate_size": 512, "norm_topk_prob": True, "decoder_sparse_step": 1, "mlp_only_layers": [],
        "router_aux_loss_coef": 0.0,
    },
}  # fmt: skip
# What a key of a case means to Megatron, and to the checker's Layout.
SIZES = {
    "tp": ("tensor_model_parallel_size", "tensor"),
    "pp": ("pipeline_model_parallel_size", "pipeline"),
    "vp": ("virtual_pipeline_model_parallel_size", "virtual_pipeline"),
    "cp": ("context_parallel_size", "context"),
    "ep": ("expert_model_parallel_size", "expert"),
    "etp": ("expert_tensor_parallel_size", "expert_tensor"),
    "sp": ("sequence_parallel", "sequence_parallel"),
    "seq": ("seq_length", "seq_length"),
}
_DEFAULTS: dict[str, Any] = {"seq": 512, "batch": 8}

# The GPUs, the shape, the layout. All of them must start.
LEGAL: list[tuple[int, str, dict[str, Any]]] = [
    (1, "qwen3", {}),
    (2, "qwen3", {"tp": 2, "sp": True}),
    (2, "qwen3", {"pp": 2, "vp": 2}),
    (2, "qwen3", {"cp": 2}),
    (2, "llama", {"tp": 2}),
    (2, "llama", {"pp": 2, "vp": 3}),
    (2, "qwen3-moe", {"ep": 2}),
    (4, "qwen3", {"tp": 2, "pp": 2}),
    (4, "qwen3", {"tp": 2, "cp": 2, "sp": True}),
    (4, "qwen3", {"pp": 4}),
    (4, "llama", {"tp": 4, "sp": True}),
    (4, "llama", {"cp": 2, "pp": 2}),
    (4, "qwen3-moe", {"ep": 4}),
    (4, "qwen3-moe", {"tp": 2, "sp": True, "ep": 2}),
    (4, "qwen3-moe", {"pp": 2, "ep": 2}),
]
# The rule that refuses it, the GPUs, the shape, what is changed in the shape, the layout.
REFUSED: list[tuple[str, int, str, dict[str, Any], dict[str, Any]]] = [
    ("NMT401", 4, "qwen3", {}, {"cp": 3, "seq": 768}),
    ("NMT402", 4, "qwen3-moe", {"num_experts": 6}, {"ep": 3}),
    ("NMT403", 2, "qwen3", {}, {"batch": 5}),
    ("NMT404", 4, "qwen3", {"num_attention_heads": 6, "num_key_value_heads": 2}, {"tp": 4}),
    ("NMT405", 4, "llama", {"num_key_value_heads": 6}, {"tp": 4}),
    ("NMT406", 4, "llama", {"intermediate_size": 2050}, {"tp": 4}),
    ("NMT407", 2, "qwen3-moe", {"moe_intermediate_size": 513}, {"tp": 2, "sp": True}),
    ("NMT408", 2, "qwen3-moe", {"num_experts": 7}, {"ep": 2}),
    ("NMT409", 2, "qwen3", {}, {"ep": 2}),
    ("NMT410", 4, "qwen3", {"vocab_size": 32770}, {"tp": 4}),
    ("NMT411", 2, "qwen3", {"num_hidden_layers": 5}, {"pp": 2}),
    ("NMT412", 2, "qwen3", {}, {"pp": 2, "vp": 3, "batch": 8}),
    ("NMT413", 2, "qwen3", {}, {"vp": 2}),
    ("NMT414", 2, "qwen3", {}, {"sp": True}),
    ("NMT415", 4, "qwen3", {}, {"tp": 4, "sp": True, "seq": 514}),
    ("NMT416", 2, "qwen3-moe", {}, {"tp": 2}),
    ("NMT417", 2, "qwen3", {}, {"cp": 2, "seq": 514}),
]


def case(
    world: int, shape: str, layout: dict[str, Any], change: dict[str, Any] | None = None
) -> dict[str, Any]:
    """One case as `megatron_direct.py starts` and the checker take it."""
    sizes = {**_DEFAULTS, **layout}
    shown = " ".join(f"{key}={value}" for key, value in {**layout, **(change or {})}.items()) or "one GPU"
    stated = {key: sizes[key] for key in SIZES if key in sizes}
    return {
        "name": f"{shape} on {world}: {shown}",
        "world": world,
        "config": {**SHAPES[shape], **(change or {})},
        "global_batch": sizes["batch"],
        "model": {SIZES[key][0]: value for key, value in stated.items()},
        "layout": {SIZES[key][1]: value for key, value in stated.items()},
    }


def legal() -> list[dict[str, Any]]:
    return [case(*each) for each in LEGAL]


def refused() -> list[dict[str, Any]]:
    return [
        {"code": code, **case(world, shape, layout, change)} for code, world, shape, change, layout in REFUSED
    ]
