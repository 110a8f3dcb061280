"""`nemotron steps check`: what a dry run finds, without the description of what would run."""

from __future__ import annotations

import typer

from nemotron.cli import options, steps_run
from nemotron.cli.output import print_diagnostics, print_json

EXAMPLES = (
    "Examples: `nemotron steps check sft/automodel -c tiny` · "
    "`nemotron steps check sft/automodel distributed.tp_size=7 --gpus 8` · "
    "`nemotron steps check peft/automodel -c my.yaml --strict --json`"
)


def command(
    step: options.Step,
    overrides: options.Overrides = None,
    config: options.Config = "default",
    gpus: options.Gpus = None,
    nodes: options.Nodes = None,
    strict: options.Strict = False,
    as_json: options.Json = False,
) -> None:
    """Check one step with its config and inputs, and print every problem; nothing is run.

    The exit code is that of `steps run --dry-run`: 0, 2 with an error, 3 where something is missing.
    """
    from nemotron.execution.store import Store
    from nemotron.planning.resolve import Wish

    wish = Wish(step, config, overrides or [], gpus, nodes)
    request, _, diagnostics, code = steps_run.look(wish, Store.of_project(), strict)
    print_diagnostics(diagnostics)
    if as_json:
        source = str(request.config.source)
        print_json({"step": request.step.id, "config": source, "exit_code": code}, diagnostics)
    elif not diagnostics:
        print("No problem found.")
    raise typer.Exit(code)
