"""What a profile of Slurm needs, looked for on its host in one round trip. Runs a script there."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from nemotron.execution.env_check import Finding, look_for_library
from nemotron.execution.slurm.host import Host
from nemotron.profiles.profile import Profile

_MARK = "@nemotron"
_HEAD = f"""\
look() {{
  local name="$1" said code; shift
  said=$(eval "$*" 2>&1 </dev/null); code=$?
  printf '%s\\t%s\\t%s\\t%s\\n' {_MARK} "$name" "$code" "$(printf '%s' "$said" | tail -n 1 | tr '\\t' ' ')"
}}
"""
# The nearest folder upwards that is there: where a new one could be made.
_WRITABLE = (
    'd={folder}; while [ ! -e "$d" ]; do d=$(dirname "$d"); done; '
    '[ -d "$d" ] && [ -w "$d" ] && echo "$d may be written" || {{ echo "$d may not be written"; false; }}'
)


@dataclass(frozen=True)
class Look:
    """One thing to look for: a command that ends well where it is there, and what to do where it is not."""

    what: str
    command: str
    fix: str


def check_cluster(profile: Profile) -> Iterator[Finding]:
    """What is there on the host. Failure NMT650 (exit code 4) where it does not answer."""
    host = Host.of(profile)
    looks = list(looks_of(profile))
    answer = host.run(script_of(looks))
    told = _told(answer.output)
    yield Finding("host", True, f"{host} answers")
    for look in looks:
        code, said = told.get(look.what, (1, "the check was cut off"))
        yield Finding(look.what, code == 0, said or "not there", look.fix if code else "")


def looks_of(profile: Profile) -> Iterator[Look]:
    """What to look for, in the order in which one would mend it."""
    yield Look("sbatch", "command -v sbatch", "a host where Slurm's commands are in PATH")
    yield Look("scheduler", "sinfo --version && sinfo -h -o %P >/dev/null", "ask whoever runs the cluster")
    for name in profile.partition.split(",") if profile.partition else ():
        yield Look(
            f"partition {name}",
            f"sinfo -h -p {shlex.quote(name)} -o '%P %a %l' | grep .",
            "correct partition: `sinfo` lists them",
        )
    folder = shlex.quote(profile.remote_job_dir or "")
    yield Look("remote_job_dir", _WRITABLE.format(folder=folder), "a folder that you may write to")
    if profile.container_image is not None:
        yield Look(
            "container plugin",
            "srun --help | grep -o -e --container-image | head -n 1 | grep .",
            "the pyxis plugin, or a profile with python and without container_image",
        )
    yield from _python(profile)


def _python(profile: Profile) -> Iterator[Look]:
    """The Python and the libraries; in a container they are the container's own."""
    before = "".join(f"{{ {command}\n}} >/dev/null || exit 1; " for command in profile.setup)
    if profile.setup:
        yield Look(
            "setup", f"( {before}echo {len(profile.setup)} commands )", "correct the commands of setup"
        )
    if profile.python is None or profile.container_image is not None:
        return
    python = shlex.quote(profile.python)
    yield Look("python", f"( {before}{python} --version )", "correct python, or add to setup what brings it")
    for name in profile.libraries or ():
        if command := look_for_library(name, profile.python):
            yield Look(
                f"library {name}",
                f"( {before}{shlex.join(command)} && echo found || {{ echo not found; false; }} )",
                f"install {name} there, or take it out of libraries",
            )


def script_of(looks: list[Look]) -> str:
    """The script of all looks: each ends with one marked line, as a login shell may print a greeting."""
    return _HEAD + "".join(f"look {shlex.quote(look.what)} {shlex.quote(look.command)}\n" for look in looks)


def _told(output: str) -> dict[str, tuple[int, str]]:
    lines = [line.split("\t") for line in output.splitlines() if line.startswith(f"{_MARK}\t")]
    return {parts[1]: (int(parts[2]), parts[3]) for parts in lines if len(parts) == 4}
