"""Random layouts and model shapes: legal ones built from their factors, and any ones."""

from __future__ import annotations

from math import gcd
from typing import Any

from hypothesis import strategies as st

from nemotron.hardware.layout import Layout
from nemotron.hardware.shapes import ModelShape

LARGEST_WORLD = 4096
_SMALL = st.sampled_from([1, 2, 3, 4, 6, 8])
Draw = Any


@st.composite
def legal_megatron(draw: Draw) -> tuple[Layout, ModelShape]:
    """A layout and a model that fits it, each size a multiple of what must divide it."""
    tensor, pipeline, context = draw(_SMALL), draw(_SMALL), draw(st.sampled_from([1, 2, 4]))
    experts = draw(st.sampled_from([None, 1, 2, 4, 8]))
    expert = experts or 1
    expert_tensor = draw(st.sampled_from([None, 1, tensor]))
    hybrid = draw(st.booleans())
    a_replica = tensor * pipeline * context
    of_experts = (expert_tensor or tensor) * expert * pipeline
    unit = a_replica * of_experts // gcd(a_replica, of_experts)
    if unit > LARGEST_WORLD:
        context, expert, experts = 1, 1, None if experts is None else 1
        expert_tensor, unit = None, tensor * pipeline
    world = unit * draw(st.integers(1, max(1, LARGEST_WORLD // unit)))
    data = world // (tensor * pipeline * context)
    virtual = draw(st.sampled_from([None, 2, 3])) if pipeline > 1 and not hybrid else None
    packed, tuned = draw(st.booleans()), draw(st.booleans())
    micro = 1 if packed else draw(st.integers(1, 4))
    in_flight = pipeline * draw(st.integers(1, 3)) if virtual else draw(st.integers(1, 5))
    is_moe = experts is not None
    sequence_parallel = tensor > 1 and (is_moe or draw(st.booleans()))
    length = 2 * context * tensor * draw(st.integers(1, 64))
    layout = Layout(
        world=world,
        tensor=tensor,
        pipeline=pipeline,
        context=context,
        expert=expert,
        expert_tensor=expert_tensor,
        virtual_pipeline=virtual,
        sequence_parallel=sequence_parallel,
        micro_batch=micro,
        global_batch=micro * data * in_flight,
        seq_length=length,
        per_token_loss=True if context > 1 and tuned else draw(st.sampled_from([None, False, True])),
        average_in_collective=False if context > 1 and tuned else draw(st.sampled_from([None, False, True])),
        packed=packed,
        fine_tuning=tuned,
    )
    kv = tensor * draw(st.integers(1, 4)) if draw(st.booleans()) or tensor == 1 else 1
    shape = ModelShape(
        layers=pipeline * (virtual or 1) * draw(st.integers(1, 6)),
        heads=tensor * draw(st.integers(1, 8)),
        kv_heads=kv,
        ffn=tensor * draw(st.integers(1, 4096)),
        vocab=tensor * draw(st.integers(1, 4096)),
        experts=expert * draw(st.integers(1, 16)) if is_moe else None,
        moe_ffn=tensor * draw(st.integers(1, 512)) if is_moe else None,
        mamba_heads=tensor * context * draw(st.integers(1, 4)) if hybrid else None,
        mamba_groups=tensor * draw(st.integers(1, 2)) if hybrid else None,
    )
    return layout, shape


@st.composite
def any_layout(draw: Draw) -> Layout:
    size, maybe = st.integers(1, 12), st.sampled_from([None, 1, 2, 3, 4])
    return Layout(
        world=draw(st.integers(1, 64)),
        tensor=draw(size),
        pipeline=draw(st.integers(1, 5)),
        context=draw(st.integers(1, 4)),
        expert=draw(st.integers(1, 8)),
        expert_tensor=draw(maybe),
        virtual_pipeline=draw(maybe),
        data=draw(st.sampled_from([None, None, 2, 4])),
        data_replicate=draw(st.integers(1, 4)),
        pipeline_micro_batch=draw(maybe),
        sequence_parallel=draw(st.booleans()),
        micro_batch=draw(maybe),
        global_batch=draw(st.sampled_from([None, 8, 12, 16, 24, 32])),
        seq_length=draw(st.sampled_from([None, 64, 96, 100, 128])),
        uneven_stages=draw(st.booleans()),
        per_token_loss=draw(st.sampled_from([None, False, True])),
        average_in_collective=draw(st.sampled_from([None, False, True])),
        packed=draw(st.booleans()),
        fine_tuning=draw(st.booleans()),
    )


@st.composite
def any_shape(draw: Draw) -> ModelShape:
    some = st.one_of(st.none(), st.integers(1, 64))
    return ModelShape(**{name: draw(some) for name in ModelShape.__dataclass_fields__})
