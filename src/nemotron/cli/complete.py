"""Shell completion of step ids, configs, types, profiles, runs. Offers nothing that it cannot read."""

from __future__ import annotations

from collections.abc import Iterable

import typer


def step_ids(incomplete: str) -> list[str]:
    from nemotron.catalog.catalog import default_catalog
    from nemotron.diagnostic import Failure

    try:
        return _beginning_with(incomplete, default_catalog().folders)
    except Failure:
        return []


def schema_names(incomplete: str) -> list[str]:
    from nemotron.checking.editor_forms import FORMS

    return [*step_ids(incomplete), *_beginning_with(incomplete, FORMS)]


def config_names(context: typer.Context, incomplete: str) -> list[str]:
    from nemotron.catalog.catalog import default_catalog
    from nemotron.diagnostic import Failure

    # The words of a line that ends with `-c` are not parsed yet.
    words = [context.params.get("step"), *context.args]
    try:
        step = default_catalog().find(next((word for word in words if word), ""))
    except Failure:
        return []
    return _beginning_with(incomplete, step.config_names())


def type_names(incomplete: str) -> list[str]:
    from nemotron.catalog.catalog import default_catalog
    from nemotron.diagnostic import Failure

    try:
        return _beginning_with(incomplete, default_catalog().types.types)
    except Failure:
        return []


def library_names(incomplete: str) -> list[str]:
    from nemotron.libraries.spec import names

    return _beginning_with(incomplete, names())


def profile_names(incomplete: str) -> list[str]:
    from nemotron.diagnostic import Failure
    from nemotron.profiles.load import profiles_at_hand

    try:
        return _beginning_with(incomplete, [entry.name for entry in profiles_at_hand() if entry.name])
    except Failure:
        return []


def run_ids(incomplete: str) -> list[str]:
    from nemotron.execution.store import Store

    return _beginning_with(incomplete, ["last", *(run.id for run in Store.of_project().all_runs())])


def _beginning_with(incomplete: str, known: Iterable[str]) -> list[str]:
    return [name for name in known if name.startswith(incomplete)]
