"""`nemotron steps run`: resolve, check, show, run, follow."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from nemotron.cli import options
from nemotron.cli.chosen_profile import chosen_profile
from nemotron.cli.output import print_diagnostics, print_json, short_command, short_path
from nemotron.diagnostic import Diagnostic, exit_code

EXAMPLES = (
    "Examples: `nemotron steps run sft/automodel -c tiny` · "
    "`nemotron steps run sft/automodel dataset.path_or_dataset_id=chat.jsonl --gpus 8 --dry-run` · "
    "`nemotron steps run peft/automodel -c tiny step_scheduler.max_steps=50 '~validation_dataset'` · "
    "`nemotron steps run sft/automodel -c tiny --force` · "
    "`nemotron steps run sft/automodel --batch cluster --nodes 2`"
)


def command(
    step: options.Step,
    overrides: options.Overrides = None,
    config: options.Config = "default",
    gpus: options.Gpus = None,
    nodes: options.Nodes = None,
    attached: options.Attached = None,
    batch: options.Batch = None,
    yes: options.Yes = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Run it even if it is finished; what it made is kept aside."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, run nothing.")] = False,
    strict: options.Strict = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Show progress, not the job's log.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document at the end.")] = False,
) -> None:
    """Run one step: check it, start its job, follow it, record what it made.

    A step that already ran with the same config on the same inputs is not run again.
    """
    from nemotron.cli.cluster_run import is_for_cluster, run_on_cluster
    from nemotron.execution.store import Store
    from nemotron.planning.resolve import Wish

    store = Store.of_project()
    profile = chosen_profile(attached, batch)
    wish = Wish(step, config, overrides or [], gpus, nodes, profile)
    request, plan, diagnostics, code = look(wish, store, strict)
    shown = {**_describe(request, plan), "forced": force}
    if (dry_run or code) and (plan or not code):
        print(_plan_text(shown), file=sys.stderr)
    print_diagnostics(diagnostics)
    if dry_run or code:
        if as_json:
            print_json({**shown, "dry_run": dry_run, "exit_code": code}, diagnostics)
        elif not code:
            print("The dry run passed: nothing was run.")
        raise typer.Exit(code)
    if is_for_cluster([request]):
        asked = _to_cluster(request, stays=batch is None, yes=yes, force=force)
        raise typer.Exit(run_on_cluster(asked, store, quiet=quiet, as_json=as_json))
    raise typer.Exit(_run(plan, store, shown, quiet=quiet, as_json=as_json))


def look(wish: Any, store: Any, strict: bool) -> tuple[Any, Any, list[Diagnostic], int]:
    """Resolve and check a wish: the request, its plan if there is one, the problems, the exit code."""
    from nemotron.catalog.catalog import default_catalog
    from nemotron.checking.check import check_step
    from nemotron.cli.cluster_run import is_for_cluster
    from nemotron.execution import runner
    from nemotron.planning.resolve import resolve

    request = resolve(wish, default_catalog())
    diagnostics = check_step(request)
    # The key needs the inputs' digests, so a request with errors has none; one for a cluster gets it there.
    has_plan = exit_code(diagnostics) != 2 and not is_for_cluster([request])
    plan = runner.prepare(request, store) if has_plan else None
    diagnostics += plan.problems if plan else []
    return request, plan, diagnostics, exit_code(diagnostics, strict=strict)


def _to_cluster(request: Any, *, stays: bool, yes: bool, force: bool) -> Any:
    """The step as a pipeline of one step, which is what a cluster gets."""
    from nemotron.cli.cluster_run import ToCluster
    from nemotron.execution.pipeline_result import Wanted
    from nemotron.planning.pipeline_file import as_pipeline, to_yaml

    text = to_yaml(as_pipeline(request))
    wanted = Wanted(force={request.name} if force else ())
    return ToCluster(request.name, text, [request], wanted, stays, yes)


def _run(plan: Any, store: Any, shown: dict[str, Any], *, quiet: bool, as_json: bool) -> int:
    from nemotron.cli.progress import LiveEvents
    from nemotron.execution import runner

    print(_plan_text(shown), file=sys.stderr)
    outcome = runner.run(plan, store, LiveEvents(sys.stderr, quiet=quiet), force=shown["forced"])
    print_diagnostics(outcome.diagnostics)
    for recovery in outcome.recoveries:
        print(f"\nknown error '{recovery.id}' (log line {recovery.line}): {recovery.text}", file=sys.stderr)
        print(f"   recovery: {recovery.recovery}", file=sys.stderr)
    if outcome.attempt is not None and outcome.status != "done":
        print(f"\nThe log: {short_path(outcome.attempt.log)}", file=sys.stderr)
    if as_json:
        print_json({**shown, **_result(outcome)}, outcome.diagnostics)
    else:
        print(_closing(outcome))
    return int(outcome.exit_code)


def _describe(request: Any, plan: Any) -> dict[str, Any]:
    """What will run, as data: the same that is shown to people."""
    from nemotron.execution.command import argv
    from nemotron.planning.request import StepRequest

    assert isinstance(request, StepRequest)
    described: dict[str, Any] = {
        "step": request.step.id,
        "config": str(request.config.source),
        "gpus": request.gpus,
        "nodes": request.nodes,
        "profile": request.profile.name if request.profile else None,
        "inputs": [
            {
                "port": bound.port.name,
                "type": bound.port.type,
                "source": str(source.path or source.value),
                "shown": short_path(source.path) if source.path else source.value,
            }
            for bound in request.inputs
            for source in bound.sources
        ],
    }
    has_program = request.step.program.is_file()  # where there is none, NMT612 says what does it
    if plan is not None:
        described |= {
            "library": plan.interpreter.description,
            "command": argv(request, plan.interpreter.python, request.config.source) if has_program else [],
            "outputs": {key: str(folder) for key, folder in plan.folders.items()},
            "key": plan.key,
            "finished": plan.finished is not None,
        }
    return described


def _plan_text(shown: dict[str, Any]) -> str:
    count = shown["gpus"]
    gpus = f"{count} GPU{'s' * (count > 1)}" if count else "the CPU"
    gpus += f" of {shown['nodes']} nodes" if shown["nodes"] > 1 else ""
    lines = [
        f"{shown['step']} on {gpus}",
        *([f"  profile  {shown['profile']}"] if shown["profile"] else []),
        f"  config   {short_path(shown['config'])}",
        *([f"  library  {shown['library']}"] if "library" in shown else []),
        *(f"  input    {i['port']}: {i['shown']}" for i in shown["inputs"]),
        *(f"  output   {short_path(folder)}" for folder in shown.get("outputs", {}).values()),
        *([f"  command  {short_command(shown['command'])}"] if shown.get("command") else []),
    ]
    if shown.get("finished"):
        again = "it runs again" if shown["forced"] else "it does not run again without --force"
        lines.append(f"  finished already: the same step, config and inputs; {again}")
    return "\n".join(lines)


def _result(outcome: Any) -> dict[str, Any]:
    return {
        "status": outcome.status,
        "exit_code": outcome.exit_code,
        "seconds": round(outcome.seconds, 3),
        "run": outcome.attempt.run_id if outcome.attempt else None,
        "log": str(outcome.attempt.log) if outcome.attempt else None,
        "artifacts": [
            {"port": m.port, "path": str(m.path), "type": m.record.type, "facts": m.record.facts}
            for m in outcome.made
        ],
        "recoveries": [{"id": r.id, "line": r.line, "recovery": r.recovery} for r in outcome.recoveries],
    }


def _closing(outcome: Any) -> str:
    if outcome.status == "interrupted":
        return "Interrupted: every process of the job was ended. The same command runs it again."
    if outcome.status == "failed":
        return "Failed. The same command runs it again."
    words = (
        "Nothing to do: finished before."
        if outcome.status == "skipped"
        else f"Done in {outcome.seconds:.0f} s."
    )
    made = [f"  {m.port}  {short_path(m.path)}" for m in outcome.made]
    return "\n".join([words, *made])
