"""`nemotron env check`: is there what a profile needs, line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from nemotron.cli import options
from nemotron.cli.env_show import ProfileName
from nemotron.cli.output import print_diagnostics, print_json
from nemotron.config.secrets import redact
from nemotron.diagnostic import Diagnostic, blocked, exit_code

if TYPE_CHECKING:
    from nemotron.execution.env_check import Finding
    from nemotron.profiles.profile import Profile

EXAMPLES = "Examples: `nemotron env check cluster` · `nemotron env check cluster --json`"


def command(profile: ProfileName, as_json: options.Json = False) -> None:
    """Look at what a profile needs, here or on its host: each thing there or not, and what to do.

    Exit code 3 where something is missing, 4 where the host does not answer. Nothing is changed there.
    """
    from nemotron.checking.profile_rules import written_secrets
    from nemotron.execution.env_check import check_profile
    from nemotron.profiles.load import load_profile

    loaded = load_profile(profile)
    problems = list(written_secrets(loaded))
    found = list(check_profile(loaded))
    missing = [_problem(loaded, each) for each in found if not each.is_there]
    code = exit_code([*problems, *missing])
    if as_json:
        told = [
            {"what": each.what, "ok": each.is_there, "found": redact(each.found), "fix": each.fix}
            for each in found
        ]
        print_json({"profile": loaded.name, "checks": told, "exit_code": code}, [*problems, *missing])
    else:
        for line in _lines(found):
            print(line)
        print_diagnostics(problems)
    raise typer.Exit(code)


def _lines(found: list[Finding]) -> list[str]:
    if not found:
        return ["Nothing to look at: the profile asks for nothing of this machine."]
    wide = max(len(each.what) for each in found)
    lines = []
    for each in found:
        lines.append(f"{'ok    ' if each.is_there else 'failed'}  {each.what:<{wide}}  {redact(each.found)}")
        if not each.is_there:
            lines.append(f"{'':<8}{'':<{wide}}  fix: {each.fix}")
    return lines


def _problem(profile: Profile, finding: Finding) -> Diagnostic:
    return blocked(
        "NMT627",
        f"{finding.what} is missing for '{profile.name}': {finding.found}",
        where=profile.place(finding.what.partition(" ")[0]),
        fix=finding.fix,
    )
