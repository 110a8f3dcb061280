"""Weights before and after a conversion, tensor by tensor: how many, how different, what was left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from nemotron.backends.hf_folder import tensor_shapes
from nemotron.backends.job import JobError


@dataclass
class Comparison:
    """What was compared. The difference is that of the numbers in the format of the conversion."""

    tensors: int = 0
    largest_difference: float = 0.0
    most_different: str = ""
    left_out: list[str] = field(default_factory=list)

    def add(self, name: str, before: Any, after: Any) -> None:
        """Compare one tensor. JobError NMT863 when the shapes differ, or numbers by more than rounding."""
        import torch

        if before.shape != after.shape:
            shapes = f"{list(before.shape)} became {list(after.shape)}"
            raise JobError("NMT863", f"the conversion changed the shape of {name}: {shapes}")
        expected = before.to(after.dtype).float()
        difference = (expected - after.float()).abs().max().item() if before.numel() else 0.0
        allowed = 2 * torch.finfo(after.dtype).eps * expected.abs().max().item() if before.numel() else 0.0
        if not difference <= allowed:
            raise JobError("NMT863", f"the conversion changed {name}: numbers differ by up to {difference:g}")
        self.tensors += 1
        if difference > self.largest_difference:
            self.largest_difference, self.most_different = difference, name

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        of = f" (in {self.most_different})" if self.most_different else ""
        rest = f"; {len(self.left_out)} left out" if self.left_out else ""
        largest = f"the largest difference is {self.largest_difference:g}{of}"
        return f"{self.tensors} tensors compared, {largest}{rest}"


def with_folder(weights: Iterable[tuple[str, Any]], folder: Path, *, is_main: bool) -> Comparison:
    """Compare weights under their Hugging Face names with those of a folder. All processes must call it.

    JobError NMT863 when there is one that the folder does not have.
    """
    from safetensors import safe_open

    files = {name: file for file in sorted(folder.glob("*.safetensors")) for name in tensor_shapes(file)}
    comparison, seen = Comparison(), set()
    for name, after in weights:
        if not is_main:
            continue  # the others only take part in gathering the weights
        if name not in files:
            raise JobError("NMT863", f"the conversion made {name}, which {folder} does not have")
        with safe_open(files[name], framework="pt") as opened:
            comparison.add(name, opened.get_tensor(name), after.cpu())
        seen.add(name)
    comparison.left_out = sorted(set(files) - seen) if is_main else []
    return comparison


def merged(bridge: Any, model: list[Any], scale: float, folder: Path, *, is_main: bool) -> Comparison:
    """Compare a folder with base + scale · B · A of the model and its adapter. All must call it."""
    matrices = {
        name: tensor.float()
        for name, tensor in bridge.export_adapter_weights(model, cpu=True, show_progress=False)
    }
    base = bridge.export_hf_weights(model, cpu=True, show_progress=False, merge_adapter_weights=False)

    def with_adapter() -> Iterator[tuple[str, Any]]:
        for told, weights in base:
            name = told.replace(".base_layer.", ".")
            module = name.removesuffix(".weight")
            inner, outer = (matrices.pop(f"{module}.lora_{part}.weight", None) for part in "AB")
            if inner is not None and outer is not None:
                weights = (weights.float() + scale * (outer @ inner)).to(weights.dtype)
            yield name, weights

    found = with_folder(with_adapter(), folder, is_main=is_main)
    if matrices:
        raise JobError("NMT864", f"the adapter changes {next(iter(matrices))}, which the base does not have")
    return found


def of_models(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> Comparison:
    """Compare the parts of a model that all processes hold, each its own. All must call it."""
    import torch.distributed as distributed

    own = Comparison()
    for old, new in zip(before, after, strict=True):
        for name, tensor in old.items():
            own.add(name, tensor, new[name])
    found = [own] * distributed.get_world_size()
    distributed.all_gather_object(found, own)
    return max(found, key=lambda each: (each.largest_difference, each.tensors))
