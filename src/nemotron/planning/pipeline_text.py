"""A plan as the text of a pipeline file: everything that was decided, with a comment that says why. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nemotron.config.secrets import redact_tree
from nemotron.config.tree import MISSING
from nemotron.config.yaml_places import dump_flow
from nemotron.planning.plan import Plan
from nemotron.planning.setting_paths import as_written


def pipeline_text(plan: Plan, folder: Path) -> str:
    """The whole file, which in `folder` is read back as the same plan."""
    return "\n".join(_lines(plan, folder)) + "\n"


def _lines(plan: Plan, folder: Path) -> Iterator[str]:
    wish = plan.wish
    yield f"# From {', '.join(plan.draft.haves) or 'nothing'} to {wish.want}. Edit it, then:"
    yield "#   nemotron pipeline check FILE && nemotron pipeline run FILE"
    yield "version: 1"
    yield f"want: {wish.want}"
    if wish.haves:
        yield "have:"
    for have in wish.haves:
        yield f"  {have.name}: {_flow(have.as_table(folder))}" + (f"  # {have.why}" if have.why else "")
    yield f"hardware: {_flow(_hardware(plan))}"
    yield "steps:"
    for node in plan.nodes:
        yield f"  {node.name}:"
        yield f"    step: {node.step}"
        yield f"    config: {plan.draft.configs[node.name]}"
        if node.inputs:
            yield f"    inputs: {_flow({port: str(link) for port, link in node.inputs.items()})}"
        yield from _settings(plan, node.name, folder)
        if node.name in plan.draft.gpus:
            yield f"    gpus: {plan.draft.gpus[node.name]}"
        if node.name in plan.draft.hosts:
            yield f"    nodes: {plan.draft.hosts[node.name]}"


def _settings(plan: Plan, name: str, folder: Path) -> Iterator[str]:
    fixed = plan.draft.fixed.get(name, {})
    derived = {k: v for k, v in plan.draft.derived.get(name, {}).items() if k not in fixed}
    asked = [q for q in plan.questions if q.key.startswith(f"{name}.")]
    if fixed or derived or asked:
        yield "    set:"
    document = plan.draft.requests[name].config.document
    for key, value in fixed.items():
        yield f"      {key}: {_flow(as_written(value, folder, document.get(key)))}  # your word"
    for key, change in derived.items():
        yield f"      {key}: {_flow(as_written(change.value, folder))}  # {change.why}"
    for question in asked:
        key = question.key.removeprefix(f"{name}.")
        if key not in fixed and key not in derived:
            yield f"      {key}: {MISSING}  # {question.question}"


def _hardware(plan: Plan) -> dict[str, Any]:
    wish = plan.wish
    nodes = wish.nodes or 1
    kind = {"gpu": wish.gpu.name} if wish.gpu else {}
    if wish.gpus is not None:
        return {**kind, "nodes": nodes, "gpus_per_node": -(-wish.gpus // nodes)}
    is_asked = any(question.key == "hardware.gpus_per_node" for question in plan.questions)
    return {**kind, "nodes": nodes, **({"gpus_per_node": MISSING} if is_asked else {})}


def _flow(value: Any) -> str:
    return dump_flow(redact_tree(value) if isinstance(value, dict | list) else value)
