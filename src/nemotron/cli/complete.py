"""Shell completion of step ids, config names and types. Reads the catalog."""

from __future__ import annotations

import typer


def step_ids(incomplete: str) -> list[str]:
    from nemotron.catalog.catalog import default_catalog

    return [i for i in default_catalog().folders if i.startswith(incomplete) or i.endswith(f"/{incomplete}")]


def config_names(context: typer.Context, incomplete: str) -> list[str]:
    from nemotron.catalog.catalog import default_catalog
    from nemotron.diagnostic import Failure

    try:
        step = default_catalog().find(context.params.get("step") or "")
    except Failure:
        return []
    return [name for name in step.config_names() if name.startswith(incomplete)]


def type_names(incomplete: str) -> list[str]:
    from nemotron.catalog.catalog import default_catalog

    return [name for name in default_catalog().types.types if name.startswith(incomplete)]


def library_names(incomplete: str) -> list[str]:
    from nemotron.libraries.spec import names

    return [name for name in names() if name.startswith(incomplete)]
