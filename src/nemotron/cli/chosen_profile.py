"""`--run PROFILE` and `--batch PROFILE`: the profile that they name, and whether the command stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from nemotron.diagnostic import Failure, error

if TYPE_CHECKING:
    from nemotron.profiles.profile import Profile


def chosen_profile(attached: str | None, batch: str | None) -> Profile | None:
    """The profile that one of the two options names; None where neither is given.

    Failure NMT613 to NMT619 for a profile that cannot be used, NMT626 for a batch run on this machine.
    """
    if attached is not None and batch is not None:
        raise typer.BadParameter("--run and --batch exclude each other: stay until it ends, or come back")
    name = attached if attached is not None else batch
    if name is None:
        return None
    from nemotron.profiles.load import load_profile

    profile = load_profile(name)
    if batch is not None and profile.is_local:
        raise Failure(
            error(
                "NMT626",
                f"--batch hands a run to a scheduler, and the profile '{name}' is this machine",
                where=profile.place("executor"),
                fix=f"--run {name}",
            )
        )
    return profile
