"""The rules that a parallel layout must keep, for each kind of trainer. Pure: sizes in, violations out.

Source: the asserts of megatron-core 0.16.1 and megatron-bridge 0.3.1, and of nemo-automodel 0.7.0.
A rule that needs a number which nobody states holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from nemotron.hardware.layout import Layout
from nemotron.hardware.shapes import ModelShape


@dataclass(frozen=True)
class Violation:
    """A rule that does not hold: its code, what is wrong, and the fields of the layout that take part.

    The first field is the one at fault.
    """

    code: str
    summary: str
    fields: tuple[str, ...]


Rule = Callable[[Layout, ModelShape], Violation | None]


def violations(kind: str, layout: Layout, shape: ModelShape) -> list[Violation]:
    """Every rule of a kind of trainer (`megatron_core` or `fsdp2`) that the layout breaks."""
    return [found for rule in RULES[kind] if (found := rule(layout, shape)) is not None]


def _divides(value: int | None, by: int, code: str, what: str, fields: tuple[str, ...]) -> Violation | None:
    """`what` reads "the 32 attention heads", and the parts are one for each of `by`."""
    if value is None or value % by == 0:
        return None
    return Violation(code, f"{what} cannot be divided evenly by {by}", fields)


def _largest_first(layout: Layout, *fields: str) -> tuple[str, ...]:
    """Of sizes whose product is too large, the largest is the one to look at."""
    return tuple(sorted(fields, key=lambda field: -(getattr(layout, field) or 0)))


# --- both -------------------------------------------------------------------------------------------------


def world_holds_the_layout(layout: Layout, shape: ModelShape) -> Violation | None:
    product = layout.model_parallel
    parts = f"{layout.tensor} · {layout.pipeline} · {layout.context}"
    summary = f"{layout.world} GPUs cannot hold tensor · pipeline · context parallel = {parts} = {product}"
    fields = (*_largest_first(layout, "tensor", "pipeline", "context"), "world")
    return Violation("NMT401", summary, fields) if layout.world % product else None


def batch_is_spread_evenly(layout: Layout, shape: ModelShape) -> Violation | None:
    dp, micro, whole = layout.data_parallel, layout.micro_batch, layout.global_batch
    if dp is None or micro is None or whole is None or whole % (micro * dp) == 0:
        return None
    summary = (
        f"the global batch {whole} is no multiple of micro batch · data parallel = {micro} · {dp} = "
        f"{micro * dp}"
    )
    return Violation("NMT403", summary, ("global_batch", "micro_batch", "tensor", "pipeline", "context"))


def heads_are_divided(layout: Layout, shape: ModelShape) -> Violation | None:
    what = f"{shape.heads} attention heads"
    return _divides(shape.heads, layout.tensor, "NMT404", what, ("tensor",))


# --- megatron_core ----------------------------------------------------------------------------------------


def world_holds_the_experts(layout: Layout, shape: ModelShape) -> Violation | None:
    product = layout.expert_parallel
    parts = f"{layout.expert_tensor or layout.tensor} · {layout.expert} · {layout.pipeline}"
    summary = (
        f"{layout.world} GPUs cannot hold expert tensor · expert · pipeline parallel = {parts} = {product}"
    )
    others = _largest_first(layout, "expert_tensor", "tensor", "pipeline")
    fields = ("expert", *others, "world") if layout.expert > 1 else (*others, "expert", "world")
    return Violation("NMT402", summary, fields) if layout.world % product else None


def kv_heads_are_divided_or_repeated(layout: Layout, shape: ModelShape) -> Violation | None:
    heads, tp = shape.kv_heads, layout.tensor
    if heads is None or heads % tp == 0 or tp % heads == 0:
        return None
    summary = f"{heads} key-value heads are neither a multiple nor a divisor of tensor parallel {tp}"
    return Violation("NMT405", summary, ("tensor",))


def ffn_is_divided(layout: Layout, shape: ModelShape) -> Violation | None:
    return _divides(shape.ffn, layout.tensor, "NMT406", f"the FFN's width {shape.ffn}", ("tensor",))


def expert_ffn_is_divided(layout: Layout, shape: ModelShape) -> Violation | None:
    by, what = layout.expert_tensor or layout.tensor, f"the experts' width {shape.moe_ffn}"
    return _divides(shape.moe_ffn, by, "NMT407", what, ("expert_tensor", "tensor"))


def experts_are_divided(layout: Layout, shape: ModelShape) -> Violation | None:
    return _divides(shape.experts, layout.expert, "NMT408", f"{shape.experts} experts", ("expert",))


def experts_are_there(layout: Layout, shape: ModelShape) -> Violation | None:
    if layout.expert == 1 or not shape.is_known or shape.experts:
        return None
    return Violation("NMT409", f"expert parallel is {layout.expert}, and the model is dense", ("expert",))


def vocabulary_is_divided(layout: Layout, shape: ModelShape) -> Violation | None:
    return _divides(shape.vocab, layout.tensor, "NMT410", f"the vocabulary of {shape.vocab}", ("tensor",))


def layers_are_divided(layout: Layout, shape: ModelShape) -> Violation | None:
    if layout.uneven_stages:
        return None
    return _divides(shape.layers, layout.pipeline, "NMT411", f"{shape.layers} layers", ("pipeline",))


def virtual_stages_are_even(layout: Layout, shape: ModelShape) -> Violation | None:
    if not layout.virtual_pipeline or layout.uneven_stages or shape.layers is None:
        return None
    if shape.layers % layout.pipeline:
        return None  # that is NMT411
    a_stage = shape.layers // layout.pipeline
    what = f"{a_stage} layers of a pipeline stage"
    return _divides(a_stage, layout.virtual_pipeline, "NMT412", what, ("virtual_pipeline", "pipeline"))


def virtual_stages_have_a_pipeline(layout: Layout, shape: ModelShape) -> Violation | None:
    if not layout.virtual_pipeline:
        return None
    fields = ("virtual_pipeline", "pipeline")
    if layout.pipeline == 1:
        return Violation("NMT413", "virtual pipeline stages need pipeline parallel above 1", fields)
    batches = layout.micro_batches
    if batches is None or batches % layout.pipeline == 0:
        return None
    summary = (
        f"with virtual stages, {batches} micro batches must be a multiple of the {layout.pipeline} stages"
    )
    return Violation("NMT413", summary, (*fields, "global_batch"))


def sequence_parallel_has_tensor_parallel(layout: Layout, shape: ModelShape) -> Violation | None:
    if not layout.sequence_parallel or layout.tensor > 1:
        return None
    summary = "sequence parallelism needs tensor parallel above 1"
    return Violation("NMT414", summary, ("sequence_parallel", "tensor"))


def sequence_is_divided_over_tensor_ranks(layout: Layout, shape: ModelShape) -> Violation | None:
    if not layout.sequence_parallel or layout.seq_length is None:
        return None
    by = layout.context * layout.tensor
    what = f"with sequence parallelism, {layout.seq_length} tokens"
    return _divides(layout.seq_length, by, "NMT415", what, ("seq_length", "tensor", "context"))


def experts_want_sequence_parallel(layout: Layout, shape: ModelShape) -> Violation | None:
    if not shape.experts or layout.tensor == 1 or layout.sequence_parallel:
        return None
    summary = f"a mixture of experts with tensor parallel {layout.tensor} needs sequence parallelism"
    return Violation("NMT416", summary, ("sequence_parallel", "tensor"))


def sequence_is_divided_over_context_ranks(layout: Layout, shape: ModelShape) -> Violation | None:
    if layout.context == 1 or layout.seq_length is None:
        return None
    what = f"with context parallel {layout.context}, {layout.seq_length} tokens"
    return _divides(layout.seq_length, 2 * layout.context, "NMT417", what, ("seq_length", "context"))


def context_parallel_counts_tokens(layout: Layout, shape: ModelShape) -> Violation | None:
    if layout.context == 1 or not layout.fine_tuning or layout.per_token_loss:
        return None
    summary = "fine-tuning with context parallel needs the loss per token"
    return Violation("NMT418", summary, ("per_token_loss", "context"))


def context_parallel_sums_gradients(layout: Layout, shape: ModelShape) -> Violation | None:
    if layout.context == 1 or not layout.fine_tuning or layout.average_in_collective is False:
        return None
    summary = "fine-tuning with context parallel needs gradients that are summed, not averaged"
    return Violation("NMT419", summary, ("average_in_collective", "context"))


def mamba_heads_are_divided(layout: Layout, shape: ModelShape) -> Violation | None:
    what = f"{shape.mamba_heads} Mamba heads"
    return _divides(shape.mamba_heads, layout.tensor, "NMT420", what, ("tensor",))


def mamba_groups_are_divided(layout: Layout, shape: ModelShape) -> Violation | None:
    what = f"{shape.mamba_groups} Mamba groups"
    return _divides(shape.mamba_groups, layout.tensor, "NMT421", what, ("tensor",))


def mamba_heads_are_divided_over_context_ranks(layout: Layout, shape: ModelShape) -> Violation | None:
    if shape.mamba_heads is None or shape.mamba_heads % layout.tensor:
        return None  # the latter is NMT420
    a_rank = shape.mamba_heads // layout.tensor
    what = f"{a_rank} Mamba heads of a tensor rank"
    return _divides(a_rank, layout.context, "NMT422", what, ("context", "tensor"))


def hybrids_have_no_virtual_stages(layout: Layout, shape: ModelShape) -> Violation | None:
    if not shape.mamba_heads or not layout.virtual_pipeline:
        return None
    return Violation("NMT423", "a hybrid Mamba model has no virtual pipeline stages", ("virtual_pipeline",))


def packs_come_one_by_one(layout: Layout, shape: ModelShape) -> Violation | None:
    if not layout.packed or layout.micro_batch in (None, 1):
        return None
    summary = f"packed data need a micro batch of 1, not {layout.micro_batch}: a pack is a batch by itself"
    return Violation("NMT424", summary, ("micro_batch",))


# --- fsdp2 ------------------------------------------------------------------------------------------------


def kv_heads_are_divided(layout: Layout, shape: ModelShape) -> Violation | None:
    what = f"{shape.kv_heads} key-value heads"
    return _divides(shape.kv_heads, layout.tensor, "NMT405", what, ("tensor",))


def replicas_are_even(layout: Layout, shape: ModelShape) -> Violation | None:
    dp, replicas = layout.data_parallel, layout.data_replicate
    if dp is None or replicas == 1 or (dp % replicas == 0 and replicas < dp):
        return None
    summary = f"{replicas} replicas must divide data parallel {dp}, and be fewer"
    return Violation("NMT425", summary, ("data_replicate",))


def data_parallel_is_what_is_left(layout: Layout, shape: ModelShape) -> Violation | None:
    dp = layout.data_parallel
    if dp is None or layout.data in (None, dp):
        return None
    summary = f"data parallel is set to {layout.data}; {layout.world} GPUs leave {dp}"
    return Violation("NMT426", summary, ("data",))


def a_stage_holds_the_experts(layout: Layout, shape: ModelShape) -> Violation | None:
    if layout.world % layout.pipeline:
        return None  # that is NMT401
    a_stage = layout.world // layout.pipeline
    what = f"{a_stage} GPUs of a pipeline stage"
    return _divides(a_stage, layout.expert, "NMT402", what, ("expert", "pipeline", "world"))


def stages_have_layers(layout: Layout, shape: ModelShape) -> Violation | None:
    if shape.layers is None or layout.pipeline <= shape.layers:
        return None
    summary = f"{layout.pipeline} pipeline stages are more than the model's {shape.layers} layers"
    return Violation("NMT411", summary, ("pipeline",))


def micro_batch_is_cut_evenly(layout: Layout, shape: ModelShape) -> Violation | None:
    part = layout.pipeline_micro_batch
    if layout.pipeline == 1 or part is None:
        return None
    what = f"the micro batch of {layout.micro_batch}"
    return _divides(layout.micro_batch, part, "NMT427", what, ("pipeline_micro_batch", "micro_batch"))


RULES: dict[str, Iterable[Rule]] = {
    "megatron_core": (
        world_holds_the_layout,
        world_holds_the_experts,
        batch_is_spread_evenly,
        heads_are_divided,
        kv_heads_are_divided_or_repeated,
        ffn_is_divided,
        expert_ffn_is_divided,
        experts_are_divided,
        experts_are_there,
        vocabulary_is_divided,
        layers_are_divided,
        virtual_stages_are_even,
        virtual_stages_have_a_pipeline,
        sequence_parallel_has_tensor_parallel,
        sequence_is_divided_over_tensor_ranks,
        experts_want_sequence_parallel,
        sequence_is_divided_over_context_ranks,
        context_parallel_counts_tokens,
        context_parallel_sums_gradients,
        mamba_heads_are_divided,
        mamba_groups_are_divided,
        mamba_heads_are_divided_over_context_ranks,
        hybrids_have_no_virtual_stages,
        packs_come_one_by_one,
    ),
    "fsdp2": (
        world_holds_the_layout,
        a_stage_holds_the_experts,
        batch_is_spread_evenly,
        heads_are_divided,
        kv_heads_are_divided,
        stages_have_layers,
        replicas_are_even,
        data_parallel_is_what_is_left,
        micro_batch_is_cut_evenly,
    ),
}
