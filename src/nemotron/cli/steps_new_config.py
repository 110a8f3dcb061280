"""`nemotron steps new-config`: a config of one's own that holds only what differs."""

from __future__ import annotations

from typing import Annotated

import typer

from nemotron.cli import complete
from nemotron.cli.output import print_json, short_path

EXAMPLES = (
    "Example: `nemotron steps new-config sft/automodel mistral "
    "model.pretrained_model_name_or_path=mistralai/Mistral-7B-Instruct-v0.3`, "
    "then `nemotron steps run sft/automodel -c mistral`"
)


def command(
    step: Annotated[str, typer.Argument(help="A step's id.", autocompletion=complete.step_ids)],
    name: Annotated[str, typer.Argument(help="The new config's name: what -c will take.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="What differs from default.yaml.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Write a new config beside the shipped ones; nothing that is there is overwritten."""
    from nemotron.catalog.catalog import default_catalog
    from nemotron.config.new_config import write_new_config
    from nemotron.config.overrides import parse_overrides
    from nemotron.files import project_root

    found = default_catalog().find(step)
    file = write_new_config(found, name, parse_overrides(overrides or []), project_root())
    if as_json:
        print_json({"step": found.id, "config": name, "file": str(file)})
    else:
        print(f"Wrote {short_path(file)}\nRun it: nemotron steps run {found.id} -c {name}")
