"""Makes the quick start's base model: a small Llama with random weights.

Written by hand, like the tokenizer: `config.json` in the older form (`rope_theta`, `torch_dtype`), which
transformers 4 and 5 both read, and the weights as NumPy draws them, so that making a model of a few
million parameters does not first spend half a minute on importing torch and transformers. The rotary
base is the default one, so what transformers 5 saves later means the same in 4.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

SEED = 20
SPREAD = 0.02  # standard deviation of the initial weights


def model_config(vocabulary_size: int, longest_input: int, end: int, pad: int) -> dict[str, Any]:
    """The shape of the model, as `config.json` states it."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": vocabulary_size,
        "hidden_size": 192,
        "intermediate_size": 512,
        "num_hidden_layers": 2,
        "num_attention_heads": 6,
        "num_key_value_heads": 3,
        "head_dim": 32,
        "max_position_embeddings": longest_input,
        "rope_theta": 10000.0,
        "rms_norm_eps": 1e-6,
        "hidden_act": "silu",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "mlp_bias": False,
        "initializer_range": SPREAD,
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": end,
        "pad_token_id": pad,
        "torch_dtype": "float32",
        "use_cache": True,
    }


def save_model(config: dict[str, Any], folder: Path) -> int:
    """Write config.json, generation_config.json and model.safetensors; the number of parameters."""
    weights = initial_weights(config)
    (folder / "model.safetensors").write_bytes(save(weights, metadata={"format": "pt"}))
    generation = {key: config[key] for key in ("eos_token_id", "pad_token_id")}
    for name, content in (("config.json", config), ("generation_config.json", generation)):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return sum(weight.size for weight in weights.values())


def initial_weights(config: dict[str, Any]) -> dict[str, np.ndarray]:
    """Every weight of the model by its name in `LlamaForCausalLM`: normal, the norms' scales one."""
    draw = np.random.default_rng(SEED)
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    queries = config["num_attention_heads"] * config["head_dim"]
    keys = config["num_key_value_heads"] * config["head_dim"]
    layer = {
        "self_attn.q_proj": (queries, hidden),
        "self_attn.k_proj": (keys, hidden),
        "self_attn.v_proj": (keys, hidden),
        "self_attn.o_proj": (hidden, queries),
        "mlp.gate_proj": (inner, hidden),
        "mlp.up_proj": (inner, hidden),
        "mlp.down_proj": (hidden, inner),
        "input_layernorm": (hidden,),
        "post_attention_layernorm": (hidden,),
    }
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens": (config["vocab_size"], hidden)}
    for number in range(config["num_hidden_layers"]):
        shapes |= {f"model.layers.{number}.{name}": shape for name, shape in layer.items()}
    shapes["model.norm"] = (hidden,)
    if not config["tie_word_embeddings"]:
        shapes["lm_head"] = (config["vocab_size"], hidden)
    return {
        f"{name}.weight": np.ones(shape, np.float32)
        if len(shape) == 1
        else (SPREAD * draw.standard_normal(shape)).astype(np.float32)
        for name, shape in shapes.items()
    }
