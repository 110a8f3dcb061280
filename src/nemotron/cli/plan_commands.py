"""The commands that a plan ends with: how far each was proven, where it runs, which keys it needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from shlex import join
from typing import TYPE_CHECKING, Any

from nemotron.diagnostic import Diagnostic, Severity, exit_code

if TYPE_CHECKING:
    from nemotron.planning.plan import Plan
    from nemotron.planning.request import StepRequest
    from nemotron.profiles.profile import Profile

_NOT_HERE = ("NMT620", "NMT621")  # GPUs, or nodes, that this machine does not have
_ANY_PROFILE = "PROFILE"


@dataclass(frozen=True)
class PlanCommand:
    """A command, how far it was proven, the profile that it runs on, and the variables with keys it needs."""

    command: str
    tier: str
    profile: str | None
    auth: list[str]

    def __str__(self) -> str:
        keys = f"  # with {', '.join(self.auth)} set" if self.auth else ""
        return f"{self.command}{keys}  [{self.tier}]"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def tier(problems: Sequence[Diagnostic]) -> str:
    """How far a command was proven: its dry run passed here, or what it is blocked on, or what is wrong."""
    code = exit_code(problems)
    if code == 0:
        return "verified"
    telling = (Severity.BLOCKED, Severity.ERROR)
    missing = ", ".join(dict.fromkeys(d.code for d in problems if d.severity in telling))
    return f"{'blocked' if code == 3 else 'wrong'}: {missing}"


def plan_commands(plan: Plan, found: dict[str, list[Diagnostic]], file: str) -> list[PlanCommand]:
    """Check, then run. A plan for GPUs that are not here runs on a profile that has them."""
    requests = [plan.draft.requests[node.name] for node in plan.nodes]
    problems = [problem for each in found.values() for problem in each]
    auth = list(dict.fromkeys([*_keys_of_haves(plan), *_keys_of_configs(requests)]))
    if not any(problem.code in _NOT_HERE for problem in problems):
        check = PlanCommand(join(["nemotron", "pipeline", "check", file]), "repo", None, auth)
        return [check, PlanCommand(join(["nemotron", "pipeline", "run", file]), tier(problems), None, auth)]
    profile = _roomy_profile(requests)
    if profile is not None:
        problems = _on_profile(requests, profile)
        auth = list(dict.fromkeys([*auth, *profile.secrets]))
    name = profile.name if profile else _ANY_PROFILE
    run = ["nemotron", "pipeline", "run", file, "--batch", name]
    proven = tier(problems)
    return [
        PlanCommand(join([*run, "--dry-run"]), "repo", name, auth),
        PlanCommand(join(run), proven, name, auth),
    ]


def _roomy_profile(requests: Sequence[StepRequest]) -> Profile | None:
    """The first profile of a cluster at hand that has the GPUs, the nodes and the libraries of all steps."""
    from nemotron.profiles.load import profiles_at_hand

    for entry in profiles_at_hand():
        profile = entry.profile
        if profile is None or entry.problems or profile.is_local:
            continue
        lacking = {problem.code for problem in _on_profile(requests, profile)} & {"NMT622", "NMT623"}
        if not lacking:
            return profile
    return None


def _on_profile(requests: Sequence[StepRequest], profile: Profile) -> list[Diagnostic]:
    """What a check of the steps finds on a profile."""
    from nemotron.checking.check import check_step
    from nemotron.planning.resolve import on_profile

    return [d for request in requests for d in check_step(on_profile(request, profile))]


def _keys_of_haves(plan: Plan) -> Iterator[str]:
    """The variables with the keys of the services that are at hand."""
    yield from (have.api_key_env for have in plan.wish.haves if have.api_key_env)


def _keys_of_configs(requests: Sequence[StepRequest]) -> Iterator[str]:
    """The variables that configs name for a key of a service."""
    from nemotron.config.tree import MISSING, leaves

    for request in requests:
        for path, value in leaves(request.config.tree):
            if path[-1] == "api_key_env" and isinstance(value, str) and value not in ("", MISSING):
                yield value
