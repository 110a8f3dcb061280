"""`nemotron schema`: what an editor needs to complete and check the files that people write."""

from __future__ import annotations

from typing import Annotated

import typer

from nemotron.cli import complete

EXAMPLES = (
    "Examples: `nemotron schema sft/automodel` · `nemotron schema pipeline.yaml > pipeline.json` · "
    "`nemotron schema step.toml`"
)


def command(
    name: Annotated[
        str,
        typer.Argument(
            metavar="STEP|FILE",
            help="A step's id, or one of step.toml, types.toml, env.toml, pipeline.yaml.",
            autocompletion=complete.schema_names,
        ),
    ],
) -> None:
    """Print the JSON Schema of a step's configs, or of another kind of file.

    An editor finds it by the first line of a YAML file: `# yaml-language-server: $schema=schema.json`.
    """
    from nemotron.catalog.catalog import default_catalog
    from nemotron.checking.editor_forms import FORMS
    from nemotron.checking.editor_schema import config_schema, to_text

    catalog = default_catalog()
    print(to_text(FORMS[name](catalog) if name in FORMS else config_schema(catalog.find(name))), end="")
