"""The shape of a model: the sizes that a parallel layout must divide. Reads a config.json, or `shapes.toml`.

`shapes.toml` lists public models, so that a layout can be checked before a model is at hand; it names the
source of each model's numbers.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parent / "shapes.toml"

# Where a Hugging Face config.json states each size; families differ in the names.
_HF_NAMES: dict[str, tuple[str, ...]] = {
    "layers": ("num_hidden_layers", "n_layer"),
    "hidden": ("hidden_size", "n_embd"),
    "heads": ("num_attention_heads", "n_head"),
    "kv_heads": ("num_key_value_heads",),
    "head_dim": ("head_dim",),
    "ffn": ("intermediate_size",),
    "vocab": ("vocab_size",),
    "max_positions": ("max_position_embeddings", "n_positions"),
    "experts": ("num_experts", "num_local_experts", "n_routed_experts"),
    "experts_per_token": ("num_experts_per_tok",),
    "moe_ffn": ("moe_intermediate_size",),
    "mamba_heads": ("mamba_num_heads",),
    "mamba_groups": ("n_groups", "mamba_n_groups"),
}
# n_group and the like also mean other things; a model has Mamba groups only beside Mamba heads.
_ONLY_WITH = {"mamba_groups": "mamba_heads", "moe_ffn": "experts", "experts_per_token": "experts"}


@dataclass(frozen=True)
class ModelShape:
    """Sizes of a model, in elements, layers, heads or positions. None is a size that nobody states."""

    layers: int | None = None
    hidden: int | None = None
    heads: int | None = None
    kv_heads: int | None = None
    head_dim: int | None = None
    ffn: int | None = None
    vocab: int | None = None
    max_positions: int | None = None
    experts: int | None = None
    experts_per_token: int | None = None
    moe_ffn: int | None = None
    mamba_heads: int | None = None
    mamba_groups: int | None = None
    parameters: int | None = None
    active_parameters: int | None = None

    @property
    def is_known(self) -> bool:
        """Whether there is anything to check a layout against."""
        return self.layers is not None

    def is_like(self, other: ModelShape | None) -> bool:
        """Whether another model has the sizes that decide how much memory this one needs."""
        return other is not None and self._sizes() == other._sizes()

    def _sizes(self) -> tuple[int | None, ...]:
        return self.layers, self.hidden, self.heads, self.kv_heads, self.experts, self.mamba_heads


def shape_of(model: str) -> ModelShape | None:
    """The shape of a model: of a local folder by its config.json, of a name on a hub by the table.

    None where neither knows it.
    """
    file = Path(model).expanduser() / "config.json"
    if not file.is_file():
        return known_shapes().get(model.lower())
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(config, dict):
        return None
    return replace(from_hf_config(config), parameters=_parameters(file.parent, config))


def from_hf_config(config: dict[str, Any]) -> ModelShape:
    """The shape that a Hugging Face config.json states; of a multimodal model, that of its text part."""
    inner = config.get("text_config")
    stated = {**config, **inner} if isinstance(inner, dict) else config
    found = {size: _first_integer(stated, names) for size, names in _HF_NAMES.items()}
    for size, other in _ONLY_WITH.items():
        if not found[other]:
            found[size] = None
    if found["kv_heads"] is None:  # as transformers reads it: without groups, every head has its own
        found["kv_heads"] = found["heads"]
    if found["experts"] and found["moe_ffn"] is None:  # Mixtral states one width, that of its experts
        found["moe_ffn"], found["ffn"] = found["ffn"], None
    return ModelShape(**found)


@cache
def known_shapes() -> dict[str, ModelShape]:
    """The table: model name or alias in lower case → shape."""
    tables: dict[str, dict[str, Any]] = tomllib.loads(TABLE.read_text(encoding="utf-8"))["shapes"]
    sizes = {field.name for field in fields(ModelShape)}
    found: dict[str, ModelShape] = {}
    for name, table in tables.items():
        shape = ModelShape(**{key: value for key, value in table.items() if key in sizes})
        for each in (name, *table.get("aliases", ())):
            found[each.lower()] = shape
    return found


def _parameters(folder: Path, config: dict[str, Any]) -> int | None:
    """How many there are, by the size of the weights; None where they are not at hand."""
    size = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    is_single = "32" in str(config.get("dtype") or config.get("torch_dtype") or "")
    return size // (4 if is_single else 2) or None


def _first_integer(config: dict[str, Any], names: tuple[str, ...]) -> int | None:
    for name in names:
        value = config.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None
