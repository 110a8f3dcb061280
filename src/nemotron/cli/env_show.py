"""`nemotron env show`: one profile with what it extends merged in, and where each value was written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from nemotron.cli import complete, options
from nemotron.cli.output import print_diagnostics, print_json, short_path
from nemotron.diagnostic import exit_code

if TYPE_CHECKING:
    from nemotron.diagnostic import Place
    from nemotron.profiles.profile import Profile

EXAMPLES = "Examples: `nemotron env show cluster` · `nemotron env show cluster --json`"

ProfileName = Annotated[str, typer.Argument(help="A profile.", autocompletion=complete.profile_names)]


def command(profile: ProfileName, as_json: options.Json = False) -> None:
    """Show a profile: every key that is set, and the file and line that set it. Secrets are hidden."""
    from nemotron.checking.profile_rules import written_secrets
    from nemotron.profiles.find import find_file
    from nemotron.profiles.load import executor_gap, read_profile

    found = read_profile(profile, find_file(profile))
    gap = executor_gap(found)
    problems = [*([gap] if gap else []), *written_secrets(found)]
    keys = _stated(found)
    if as_json:
        told = {key: {"value": value, "where": str(found.place(key))} for key, value in keys.items()}
        print_json({"profile": found.name, "file": str(found.file), "keys": told}, problems)
    else:
        print(_text(found, keys))
        print_diagnostics(problems)
    raise typer.Exit(2 if exit_code(problems) == 2 else 0)


def _stated(profile: Profile) -> dict[str, Any]:
    """Every key that is set, tables by their entries, without what looks like a secret."""
    from nemotron.config.secrets import redact_line, redact_tree

    values = profile.model_dump(mode="json", exclude={"name", "file", "places"}, exclude_unset=True)
    values["mounts"] = [str(mount) for mount in profile.mounts]
    if not profile.mounts:
        del values["mounts"]
    for key in ("setup", "sbatch"):
        if key in values:
            values[key] = [redact_line(text) for text in values[key]]
    variables = values.pop("env_vars", {})
    flat = {**values, **{f"env_vars.{name}": value for name, value in variables.items()}}
    hidden: dict[str, Any] = {key: redact_tree(value, key) for key, value in flat.items()}
    return hidden


def _text(profile: Profile, keys: dict[str, Any]) -> str:
    """The table as TOML, each line with the place of its value as a comment."""
    import tomli_w

    lines = [tomli_w.dumps({"_": {key: value}}).partition("\n")[2].strip() for key, value in keys.items()]
    lines = [
        line if "." not in key else f"{key} = {line.partition(' = ')[2]}"
        for key, line in zip(keys, lines, strict=True)
    ]
    lines = [" ".join(part.strip() for part in line.splitlines()) for line in lines]
    wide = min(60, max((len(line) for line in lines), default=0))
    noted = [f"{line:<{wide}}  # {_short(profile.place(key))}" for key, line in zip(keys, lines, strict=True)]
    return "\n".join([f"[{profile.name}]", *noted])


def _short(place: Place) -> str:
    return f"{short_path(place.file or '')}:{place.line}" if place.line else short_path(place.file or "")
