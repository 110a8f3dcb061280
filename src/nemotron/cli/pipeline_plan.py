"""`nemotron pipeline plan`: from what is at hand to what is wanted, as a pipeline file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nemotron.cli.output import print_diagnostics, print_json, short_path
from nemotron.cli.plan_commands import plan_commands, tier
from nemotron.diagnostic import Diagnostic, Failure, blocked, error, exit_code

if TYPE_CHECKING:
    from nemotron.catalog.packs import Reading
    from nemotron.planning.plan import Plan, Question

EXAMPLES = (
    "Examples: `nemotron pipeline plan --have chat.jsonl --model Qwen/Qwen3-8B --want checkpoint_lora "
    "--gpus 2` · `nemotron pipeline plan --have raw_jsonl=web.jsonl --model Super3 --want eval_results "
    "--gpus 32 --nodes 4 --gpu h200 -o pipeline.yaml`"
)


def command(
    have: Annotated[
        list[str] | None,
        typer.Option("--have", help="What is at hand: [[NAME:]TYPE=]PATH, hub:ORG/NAME or endpoint:URL."),
    ] = None,
    want: Annotated[str, typer.Option("--want", help="The artifact type to make.")] = "",
    model: Annotated[str | None, typer.Option(help="The base model: a name, an alias or a folder.")] = None,
    gpus: Annotated[int | None, typer.Option(min=0, help="GPUs in all; 0 plans for the CPU.")] = None,
    gpu: Annotated[str | None, typer.Option(help="The kind of GPU: h200, h100, a100 …")] = None,
    nodes: Annotated[int | None, typer.Option(min=1, help="Machines to spread the GPUs over.")] = None,
    through: Annotated[list[str] | None, typer.Option(help="A step that the plan must use.")] = None,
    without: Annotated[list[str] | None, typer.Option(help="A step that it must not use.")] = None,
    library: Annotated[str | None, typer.Option(help="The library that trains.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="STEP.KEY=VALUE", help="A config key of a step.")
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Where the file goes.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Plan a pipeline: the steps from what is at hand to what is wanted, with facts that agree.

    The plan is written as a file to read, edit, check and run. What only you can know stays `???`.
    """
    from nemotron.catalog.catalog import default_catalog
    from nemotron.catalog.packs import reading_of
    from nemotron.checking.check import check_step
    from nemotron.hardware.gpu_table import gpu_kind
    from nemotron.planning.have import parse_have
    from nemotron.planning.pipeline_text import pipeline_text
    from nemotron.planning.plan import PlanWish, make_plan

    catalog = default_catalog()
    if not want:
        raise Failure(error("NMT200", "--want says which artifact to make", fix="--want checkpoint_hf"))
    haves = [parse_have(text, catalog.types) for text in have or []]
    names = [each.name for each in haves]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        kind_of_it = next(each.type for each in haves if each.name == repeated[0])
        fix = f"--have OTHER:{kind_of_it}=…"
        raise Failure(error("NMT273", f"two haves are called '{repeated[0]}'", fix=fix))
    kind = gpu_kind(gpu) if gpu else None
    wish = PlanWish(
        want,
        haves,
        model,
        gpus,
        kind,
        nodes,
        tuple(through or ()),
        tuple(without or ()),
        library,
        _settings(settings or []),
    )
    plan = make_plan(wish, catalog)
    text = pipeline_text(plan, output.resolve().parent if output else Path.cwd())
    found = {node.name: check_step(plan.draft.requests[node.name]) for node in plan.nodes}
    problems = [*plan.problems, *(_asked(question) for question in plan.questions)]
    problems += [d for each in found.values() for d in each if d.severity in ("error", "warning")]
    if output is not None:
        text = _modeline(output, catalog.roots) + text
        _write(output, text, force=force)
    code = exit_code(problems)
    reading = reading_of((catalog.step(node.step) for node in plan.nodes), catalog.roots)
    if as_json:
        told = {**_as_dict(plan, found, output), **reading.as_dict(), "pipeline": text, "exit_code": code}
        print_json(told, problems)
    else:
        answer = "\n".join([*_answer(plan, found, reading, output), *reading.warnings])
        print(answer if output else text, end="" if not output else "\n")
        if not output:
            print(answer, file=sys.stderr)
        print_diagnostics(problems)
    raise typer.Exit(code)


def _settings(arguments: list[str]) -> dict[str, dict[str, Any]]:
    """`step.key=value` as step → key → value. Failure NMT205."""
    from nemotron.config.overrides import parse_overrides

    found: dict[str, dict[str, Any]] = {}
    for override in parse_overrides(arguments):
        step, _, key = override.key.partition(".")
        if not key or override.deletes:
            where = override.place
            raise Failure(
                error("NMT205", "--set takes STEP.KEY=VALUE", where=where, fix="--set sft.optimizer.lr=1e-5")
            )
        found.setdefault(step, {})[key] = override.value
    return found


def _write(file: Path, text: str, *, force: bool) -> None:
    from nemotron.files import write_atomic

    if file.exists() and not force:
        raise Failure(
            error("NMT275", f"{file} is there already", fix="--force replaces it, or give another name")
        )
    write_atomic(file, text)


def _modeline(file: Path, roots: Iterable[Path]) -> str:
    """The first line of the file, which tells an editor its schema; relative within a checkout."""
    from nemotron.config.new_config import MODELINE

    for root in roots:
        schema = root.parent / "references" / "schemas" / "pipeline.json"
        if schema.is_file():
            near = root.parent in file.resolve().parents
            path = os.path.relpath(schema, file.resolve().parent) if near else schema
            return MODELINE.format(path) + "\n"
    return ""


def _asked(question: Question) -> Diagnostic:
    return blocked(
        "NMT208",
        f"'{question.key}' needs a value",
        detail=question.question,
        fix=f"{question.answer}, or edit the file",
    )


def _as_dict(plan: Plan, found: dict[str, list[Diagnostic]], output: Path | None) -> dict[str, Any]:
    return {
        "want": plan.wish.want,
        "decision": [node.step for node in plan.nodes],
        "steps": [
            {
                "name": node.name,
                "step": node.step,
                "config": plan.draft.configs[node.name],
                "inputs": {port: str(link) for port, link in node.inputs.items()},
                "set": {key: change.value for key, change in plan.draft.derived.get(node.name, {}).items()},
                "tier": tier(found[node.name]),
            }
            for node in plan.nodes
        ],
        "why": plan.why,
        "required_inputs": [{"key": q.key, "question": q.question} for q in plan.questions],
        "commands": [each.as_dict() for each in plan_commands(plan, found, _file(output))],
        "avoid": [{"steps": a.steps, "cost": a.cost, "why": a.why} for a in plan.alternatives],
        "haves": [{"name": h.name, "type": h.type, "why": h.why} for h in plan.wish.haves],
        "file": str(output) if output else None,
    }


def _answer(
    plan: Plan, found: dict[str, list[Diagnostic]], reading: Reading, output: Path | None
) -> list[str]:
    """The answer for people: at most a screen."""
    lines = [f"Decision        {' → '.join(node.step for node in plan.nodes)}"]
    lines += _listed(
        "Why", plan.why or [f"the cheapest way to {plan.wish.want} that uses everything at hand"]
    )
    lines += _listed("At hand", [f"{h.name}: {h.type} ({h.why})" for h in plan.wish.haves])
    lines += _listed("Required inputs", [f"{q.key}: {q.question}" for q in plan.questions] or ["none"])
    lines += _listed("Commands", [str(each) for each in plan_commands(plan, found, _file(output))])
    lines += _listed(
        "Avoid", [f"{' → '.join(a.steps)}: {a.why}" for a in plan.alternatives] or ["nothing else fits"]
    )
    lines += _listed("Read", [short_path(page) for page in reading.pages])
    following = "answer what is required" if plan.questions else "check the file, then run it"
    keep = "" if output else f"write the file, by the same command with -o {_file(output)}; "
    return [*lines, f"Next step       {keep}{following}"]


def _file(output: Path | None) -> str:
    return str(output or "pipeline.yaml")


def _listed(title: str, items: list[str]) -> list[str]:
    return [f"{title if number == 0 else '':<16}{item}" for number, item in enumerate(items)]
