"""The command of a job: argv lists and the environment, nothing through a shell. Pure, but for one link."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from nemotron.config.secrets import SECRET_REFERENCE
from nemotron.config.tree import join_key, leaves
from nemotron.diagnostic import Diagnostic, blocked
from nemotron.execution.interpreter import Interpreter
from nemotron.execution.processes import MARK
from nemotron.planning.request import StepRequest

_PACKAGE = Path(__file__).resolve().parent.parent
# What belongs to the Python that runs the command line and would mislead the job's.
_NOT_HANDED_ON = ("VIRTUAL_ENV", "PYTHONHOME", "__PYVENV_LAUNCHER__")


def processes_wanted(request: StepRequest) -> int:
    """Processes of the job: one for each GPU, at least one."""
    return max(1, -(-request.gpus // max(1, request.nodes)))


def argv(request: StepRequest, python: Path, config: Path) -> list[str]:
    """The command that starts the job on this machine, after the commands of its profile's `setup`."""
    setup = request.profile.setup if request.profile is not None else ()
    return [*after_setup(setup), *_job(request, python, config)]


def after_setup(setup: Sequence[str]) -> list[str]:
    """A shell that runs the commands and becomes the program whose words follow."""
    return ["bash", "-c", "\n".join(["set -e", *setup, 'exec "$@"']), "setup"] if setup else []


def _job(request: StepRequest, python: Path, config: Path) -> list[str]:
    program = [str(request.step.program), "--config", str(config)]
    if request.step.manifest.step.launch == "torchrun":
        workers = str(processes_wanted(request))
        return [
            str(python),
            "-m",
            "torch.distributed.run",
            "--standalone",
            "--nproc-per-node",
            workers,
            *program,
        ]
    return [str(python), *program]


def link_code(run_folder: Path) -> Path:
    """A folder that holds our package and nothing else of the command line's environment, for PYTHONPATH."""
    code = run_folder / "code"
    code.mkdir(exist_ok=True)
    link = code / "nemotron"
    if not link.is_symlink():
        link.symlink_to(_PACKAGE)
    return code


def environment(
    request: StepRequest, interpreter: Interpreter, code: Path, attempt: str, devices: Sequence[str] = ()
) -> dict[str, str]:
    """The job's environment: this process's, our package on PYTHONPATH, the mark, the config's env_vars.

    With `devices` it sees those GPUs alone.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in _NOT_HANDED_ON}
    python_path = os.pathsep.join(filter(None, [str(code), os.environ.get("PYTHONPATH", "")]))
    return {
        **inherited,
        **interpreter.variables,
        "PYTHONPATH": python_path,
        "PYTHONUNBUFFERED": "1",
        **({"CUDA_VISIBLE_DEVICES": ",".join(devices)} if devices else {}),
        **{name: _filled_in(value) for name, value in request.config.run.env_vars.items()},
        MARK: attempt,
    }


def unset_variables(request: StepRequest) -> list[Diagnostic]:
    """References to secrets that are left for the job, and whose variable is not set here."""
    given = request.config.run.env_vars
    wanted = [(path, value, {*os.environ, *given}) for path, value in leaves(request.config.tree)]
    wanted += [(("run", "env_vars", name), value, {*os.environ}) for name, value in given.items()]
    return [
        blocked(
            "NMT610",
            f"the environment variable {name} is not set",
            detail=f"'{join_key(path)}' refers to it",
            where=request.config.document.place(path),
            fix=f"export {name}=…",
        )
        for path, value, known in wanted
        for name in SECRET_REFERENCE.findall(value if isinstance(value, str) else "")
        if name not in known
    ]


def _filled_in(value: str) -> str:
    """A variable of the config with the secrets that it refers to: only the job's environment has them."""
    return SECRET_REFERENCE.sub(lambda found: os.environ.get(found[1], ""), value)
