"""The processes of a job as Megatron's parallel groups, and the layout that a config asks for."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

_SIZES = ("tp", "pp", "ep", "etp")


@dataclass(frozen=True)
class Layout:
    """Over how many ranks a model is spread, by kind."""

    tensor: int = 1
    pipeline: int = 1
    expert: int = 1
    expert_tensor: int = 1
    sequence_parallel: bool = False

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Layout:
        """The layout of a conversion's config: tp, pp, ep, etp, sequence_parallel."""
        tensor, pipeline, expert, expert_tensor = (int(config.get(key) or 1) for key in _SIZES)
        return cls(tensor, pipeline, expert, expert_tensor, bool(config.get("sequence_parallel")))

    def apply(self, provider: Any) -> None:
        """Make a model provider build models in this layout."""
        provider.tensor_model_parallel_size = self.tensor
        provider.pipeline_model_parallel_size = self.pipeline
        provider.expert_model_parallel_size = self.expert
        provider.expert_tensor_parallel_size = self.expert_tensor
        provider.sequence_parallel = self.sequence_parallel


@contextmanager
def groups(provider: Any) -> Iterator[None]:
    """While the block runs, this job's processes form the groups of the provider's layout."""
    import torch
    import torch.distributed as distributed
    from megatron.core import parallel_state

    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    store, rank, size = _meeting_point(distributed)
    distributed.init_process_group("nccl" if on_gpu else "gloo", store=store, rank=rank, world_size=size)
    try:
        provider.initialize_model_parallel(seed=0)
        yield
        distributed.barrier()
    finally:
        parallel_state.destroy_model_parallel()
        distributed.destroy_process_group()


def _meeting_point(distributed: Any) -> tuple[Any, int, int]:
    """Where the job's processes find each other, this one's rank, and their number.

    The names in it are not those of groups that the same processes form later: old addresses would mislead.
    """
    if "RANK" not in os.environ:  # not started by torchrun, a process is alone and needs no address
        return distributed.HashStore(), 0, 1
    store, rank, size = next(distributed.rendezvous("env://"))
    return distributed.PrefixStore("nemotron", store), rank, size


def wait() -> None:
    """Wait for the other processes of the job."""
    import torch.distributed as distributed

    distributed.barrier()


def gathered(names: set[str]) -> set[str]:
    """The names that any process of the job gave. All must call it."""
    import torch.distributed as distributed

    everyone: list[set[str]] = [set()] * distributed.get_world_size()
    distributed.all_gather_object(everyone, names)
    return set().union(*everyone)
