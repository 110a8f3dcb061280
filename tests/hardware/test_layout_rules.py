"""The rules of parallel layouts, against the same rules written down a second time, as plain conditions."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings

from hardware.layouts import any_layout, any_shape, legal_megatron
from nemotron.hardware.layout import Layout
from nemotron.hardware.layout_rules import RULES, violations
from nemotron.hardware.shapes import ModelShape

MANY = settings(max_examples=400)


def codes(kind: str, layout: Layout, shape: ModelShape) -> list[str]:
    return sorted(found.code for found in violations(kind, layout, shape))


@MANY
@given(legal_megatron())
def test_no_legal_layout_is_refused(case: tuple[Layout, ModelShape]) -> None:
    assert codes("megatron_core", *case) == []


@MANY
@given(legal_megatron())
def test_a_legal_dense_layout_is_legal_for_fsdp2_where_heads_are_not_repeated(
    case: tuple[Layout, ModelShape],
) -> None:
    layout, shape = case
    expected = ["NMT405"] if shape.kv_heads and shape.kv_heads % layout.tensor else []
    assert codes("fsdp2", replace(layout, expert=1), shape) == expected


@MANY
@given(any_layout(), any_shape())
def test_exactly_the_broken_rules_of_megatron_are_named(layout: Layout, shape: ModelShape) -> None:
    assert codes("megatron_core", layout, shape) == sorted(broken_megatron(layout, shape))


@MANY
@given(any_layout(), any_shape())
def test_exactly_the_broken_rules_of_fsdp2_are_named(layout: Layout, shape: ModelShape) -> None:
    assert codes("fsdp2", layout, shape) == sorted(broken_fsdp2(layout, shape))


@pytest.mark.parametrize("kind", RULES)
@given(any_layout(), any_shape())
def test_the_fields_at_fault_are_fields_of_a_layout(kind: str, layout: Layout, shape: ModelShape) -> None:
    for found in violations(kind, layout, shape):
        assert found.fields
        assert set(found.fields) <= set(Layout.__dataclass_fields__)


def test_of_an_unknown_model_only_the_layouts_own_rules_are_checked() -> None:
    layout = Layout(world=8, tensor=7, expert=2)
    assert codes("megatron_core", layout, ModelShape()) == ["NMT401", "NMT402"]


def test_super_on_32_gpus_is_legal() -> None:
    # The shape of Nemotron 3 Super in hardware/shapes.toml; TP 8, PP 4, EP 8 with ETP 1.
    shape = ModelShape(layers=88, heads=32, kv_heads=2, vocab=131072, experts=512, moe_ffn=2688)
    layout = Layout(32, 4, tensor=8, pipeline=4, expert=8, expert_tensor=1, sequence_parallel=True)
    assert codes("megatron_core", layout, shape) == []


def broken_megatron(a: Layout, m: ModelShape) -> set[str]:
    """DESIGN's list for megatron_core: code → the condition that breaks it."""
    tp, pp, cp, ep, w = a.tensor, a.pipeline, a.context, a.expert, a.world
    etp, vp, seq, mbs, gbs = (
        a.expert_tensor or tp,
        a.virtual_pipeline,
        a.seq_length,
        a.micro_batch,
        a.global_batch,
    )
    dp = w / (tp * pp * cp)
    whole = dp == int(dp)
    batch_known = whole and None not in (mbs, gbs)
    layers = m.layers if not a.uneven_stages else None
    conditions = {
        "NMT401": not whole,
        "NMT402": w % (etp * ep * pp) != 0,
        "NMT403": batch_known and (gbs or 0) % ((mbs or 1) * int(dp)) != 0,
        "NMT404": bool((m.heads or 0) % tp),
        "NMT405": bool(m.kv_heads) and bool((m.kv_heads or 0) % tp) and bool(tp % (m.kv_heads or 1)),
        "NMT406": bool((m.ffn or 0) % tp),
        "NMT407": bool((m.moe_ffn or 0) % etp),
        "NMT408": bool((m.experts or 0) % ep),
        "NMT409": ep > 1 and m.layers is not None and not m.experts,
        "NMT410": bool((m.vocab or 0) % tp),
        "NMT411": bool((layers or 0) % pp),
        "NMT412": bool(vp) and layers is not None and layers % pp == 0 and (layers // pp) % (vp or 1) != 0,
        "NMT414": a.sequence_parallel and tp == 1,
        "NMT415": a.sequence_parallel and seq is not None and seq % (cp * tp) != 0,
        "NMT416": bool(m.experts) and tp > 1 and not a.sequence_parallel,
        "NMT417": cp > 1 and seq is not None and seq % (2 * cp) != 0,
        "NMT418": cp > 1 and a.fine_tuning and a.per_token_loss is not True,
        "NMT419": cp > 1 and a.fine_tuning and a.average_in_collective is not False,
        "NMT420": bool((m.mamba_heads or 0) % tp),
        "NMT421": bool((m.mamba_groups or 0) % tp),
        "NMT422": bool(m.mamba_heads)
        and (m.mamba_heads or 0) % tp == 0
        and ((m.mamba_heads or 0) // tp) % cp != 0,
        "NMT423": bool(vp) and bool(m.mamba_heads),
        "NMT424": a.packed and mbs is not None and mbs > 1,
    }
    broken = {code for code, holds in conditions.items() if holds}
    in_flight = (gbs or 0) // ((mbs or 1) * int(dp)) if batch_known and "NMT403" not in broken else None
    if vp and (pp == 1 or (in_flight is not None and in_flight % pp)):
        broken.add("NMT413")
    return broken


def broken_fsdp2(a: Layout, m: ModelShape) -> set[str]:
    """DESIGN's list for fsdp2."""
    tp, pp, w = a.tensor, a.pipeline, a.world
    dp = w / (tp * pp * a.context)
    whole = dp == int(dp)
    mbs, gbs, part = a.micro_batch, a.global_batch, a.pipeline_micro_batch
    conditions = {
        "NMT401": not whole,
        "NMT402": w % pp == 0 and (w // pp) % a.expert != 0,
        "NMT403": whole and None not in (mbs, gbs) and (gbs or 0) % ((mbs or 1) * int(dp)) != 0,
        "NMT404": bool((m.heads or 0) % tp),
        "NMT405": bool((m.kv_heads or 0) % tp),
        "NMT411": m.layers is not None and pp > m.layers,
        "NMT425": whole and a.data_replicate > 1 and (dp % a.data_replicate != 0 or a.data_replicate >= dp),
        "NMT426": whole and a.data is not None and a.data != dp,
        "NMT427": pp > 1 and None not in (mbs, part) and (mbs or 0) % (part or 1) != 0,
    }
    return {code for code, holds in conditions.items() if holds}
