"""`nemotron env list`: the profiles at hand, where each stands, what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nemotron.cli import options
from nemotron.cli.output import print_diagnostics, print_json, short_path

if TYPE_CHECKING:
    from nemotron.profiles.load import AtHand

EXAMPLES = "Examples: `nemotron env list` · `nemotron env list --json`"


def command(as_json: options.Json = False) -> None:
    """List the profiles of env.toml and its like: executor, nodes, GPUs, and the file of each."""
    from nemotron.profiles.load import profiles_at_hand

    found = profiles_at_hand()
    problems = [problem for entry in found for problem in entry.problems]
    if as_json:
        print_json({"profiles": [_as_dict(entry) for entry in found if entry.name]}, problems)
        return
    named = [entry for entry in found if entry.name]
    if not found:
        print("No profiles. `nemotron steps run env/env_toml` writes an env.toml.")
    wide = max((len(entry.name) for entry in named), default=0)
    for entry in named:
        print(f"{entry.name:<{wide}}  {_summary(entry)}  ({short_path(entry.file)})")
    print_diagnostics(problems)


def _summary(entry: AtHand) -> str:
    profile = entry.profile
    if profile is None:
        return "cannot be used"
    parts = [profile.executor if profile.host is None else f"{profile.executor} at {profile.host}"]
    if profile.gpus_per_node is not None:
        parts.append(f"{profile.nodes or 1} × {profile.gpus_per_node} {profile.gpu or 'GPUs'}")
    if profile.libraries is not None:
        parts.append(", ".join(profile.libraries))
    return " · ".join(parts)


def _as_dict(entry: AtHand) -> dict[str, Any]:
    profile = entry.profile
    told: dict[str, Any] = {
        "name": entry.name,
        "file": str(entry.file),
        "usable": profile is not None and not entry.problems,
    }
    if profile is not None:
        told |= profile.model_dump(include={"executor", "extends", "host", "nodes", "gpus_per_node", "gpu"})
        told["libraries"] = profile.libraries
    return told
