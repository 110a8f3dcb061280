"""The secrets that a run on a cluster needs: which are missing, and their values for the way there.

Reads the environment. The values go to the submit script's stdin and nowhere else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence

from nemotron.config.secrets import SECRET_REFERENCE
from nemotron.config.tree import KeyPath, join_key, leaves
from nemotron.diagnostic import Diagnostic, blocked
from nemotron.execution.slurm.submission import Placed


def not_handed_on(steps: Sequence[Placed]) -> list[Diagnostic]:
    """NMT657 for each variable that a config leaves for the job, and that the job would not have."""
    return list(dict.fromkeys(problem for step in steps for problem in _missing(step)))


def as_line(steps: Sequence[Placed]) -> str:
    """The values to hand on, as one line of JSON; empty when there are none."""
    names = dict.fromkeys(name for step in steps for name in step.profile.secrets)
    values = {name: os.environ[name] for name in names if name in os.environ}
    return json.dumps(values) if values else ""


def _missing(step: Placed) -> Iterator[Diagnostic]:
    run, profile = step.request.config.run, step.profile
    wanted: list[tuple[KeyPath, object]] = list(leaves(step.request.config.tree))
    wanted += [(("run", "env_vars", name), value) for name, value in run.env_vars.items()]
    for path, value in wanted:
        for name in SECRET_REFERENCE.findall(value if isinstance(value, str) else ""):
            known = {*profile.secrets, *(run.env_vars if path[0] != "run" else ())}
            if name not in known:
                listed = ", ".join(f'"{each}"' for each in (*profile.secrets, name))
                yield blocked(
                    "NMT657",
                    f"{step.name}: the profile '{profile.name}' does not hand on {name}",
                    detail=f"'{join_key(path)}' refers to it",
                    where=step.request.config.document.place(path),
                    fix=f"in {profile.file.name}, [{profile.name}]: secrets = [{listed}]",
                )
