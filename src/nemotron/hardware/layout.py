"""A parallel layout: how a training job spreads a model and its batch over GPUs. Pure arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from math import lcm


@dataclass(frozen=True)
class Layout:
    """The sizes of a layout; field names are those of a manifest's `[parallelism]`.

    `world` counts GPUs (processes), batches count sequences, lengths count tokens. None is a size that the
    config does not state. `uneven_stages` is true where the config gives pipeline stages their layers itself.
    """

    world: int
    nodes: int = 1
    tensor: int = 1
    pipeline: int = 1
    context: int = 1
    expert: int = 1
    expert_tensor: int | None = None
    virtual_pipeline: int | None = None
    data: int | None = None
    data_replicate: int = 1
    pipeline_micro_batch: int | None = None
    sequence_parallel: bool = False
    micro_batch: int | None = None
    global_batch: int | None = None
    seq_length: int | None = None
    uneven_stages: bool = False
    per_token_loss: bool | None = None
    average_in_collective: bool | None = None
    packed: bool = False
    fine_tuning: bool = False

    @property
    def model_parallel(self) -> int:
        """GPUs that hold one replica of the dense weights and one batch: TP · PP · CP."""
        return self.tensor * self.pipeline * self.context

    @property
    def expert_parallel(self) -> int:
        """GPUs that hold one replica of the experts: ETP · EP · PP, ETP being TP when unset."""
        return (self.expert_tensor or self.tensor) * self.expert * self.pipeline

    @property
    def data_parallel(self) -> int | None:
        """DP = W / (TP · PP · CP); None where that is no whole number."""
        return self.world // self.model_parallel if self.world % self.model_parallel == 0 else None

    @property
    def micro_batches(self) -> int | None:
        """Micro batches of one replica in one step; None where a part is not known or not whole."""
        if self.data_parallel is None or self.micro_batch is None or self.global_batch is None:
            return None
        one_pass = self.micro_batch * self.data_parallel
        return self.global_batch // one_pass if self.global_batch % one_pass == 0 else None

    @property
    def smallest_world(self) -> int:
        """The fewest GPUs that this layout is legal on, with Megatron's two checks."""
        return lcm(self.model_parallel, self.expert_parallel)

    @property
    def pad_multiple(self) -> int:
        """Tokens to a multiple of which each sequence of a pack must be padded.

        lcm(2·CP if CP > 1, CP·TP if sequence parallel): context parallelism cuts each sequence into 2·CP
        chunks, sequence parallelism cuts what is left of it over the TP ranks.
        """
        by_context = 2 * self.context if self.context > 1 else 1
        by_tensor = self.context * self.tensor if self.sequence_parallel else 1
        return lcm(by_context, by_tensor)
