"""What a training keeps on a GPU besides activations: weights, gradients, optimiser states. Pure."""

from __future__ import annotations

from nemotron.hardware.layout import Layout
from nemotron.hardware.shapes import ModelShape


def kept_gib(layout: Layout, shape: ModelShape, held: float, sharded: float) -> float | None:
    """GiB on each GPU; None where nobody states how many parameters the model has.

    `held` and `sharded` are bytes a parameter: of those that tensor, pipeline and expert parallelism put on
    the GPU, and of all, spread over the GPUs of one replica. Mixed precision with Adam takes 16 to 18 bytes
    in all: Rajbhandari et al., ZeRO (2020), section 3.1.
    """
    if shape.parameters is None:
        return None
    experts = expert_parameters(shape)
    dense = shape.parameters - experts
    here = dense / (layout.tensor * layout.pipeline) + experts / layout.expert_parallel
    over = layout.world / layout.data_replicate
    return (held * here + sharded * shape.parameters / over) / (1 << 30)


def expert_parameters(shape: ModelShape) -> float:
    """How many of the parameters belong to routed experts.

    A token uses `experts_per_token` of the experts, so the rest of them is what is not active.
    """
    if not (shape.parameters and shape.active_parameters and shape.experts and shape.experts_per_token):
        return 0.0
    idle = 1 - shape.experts_per_token / shape.experts
    return (shape.parameters - shape.active_parameters) / idle if idle else 0.0
