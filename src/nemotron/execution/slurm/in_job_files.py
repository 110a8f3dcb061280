"""A job's own folder as the job sees it: its orders, its config, the words between its tasks.

Runs in the job, on the standard library and PyYAML. Reads the folders of the run's other attempts.
"""

from __future__ import annotations

import json
import os
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from nemotron.config.secrets import SECRET_REFERENCE
from nemotron.execution.asides import move_aside
from nemotron.execution.store import read_json, write_json
from nemotron.files import write_atomic


class NotReady(Exception):
    """The job cannot begin, or made something else than it should have; a diagnostic as data."""

    def __init__(self, diagnostic: dict[str, Any]) -> None:
        super().__init__(diagnostic["summary"])
        self.diagnostic = diagnostic


def diagnostic(code: str, summary: str, *, fix: str = "", file: Path | None = None) -> dict[str, Any]:
    """An error as result.json holds it."""
    where = {"file": str(file), "line": None, "column": None, "argument": None} if file else None
    return {
        "code": code,
        "severity": "error",
        "summary": summary,
        "detail": "",
        "where": where,
        "related": [],
        "fix": fix,
    }


class JobFiles:
    """The folder of one attempt."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.run = self.folder.parent.parent
        self.config = self.folder / "config.yaml"
        self.progress = self.folder / "progress.jsonl"
        self.secrets = self.folder / ".secrets"
        self._starts = self.folder / "starts.json"
        self.start = f"{os.environ.get('SLURM_JOB_ID', '0')}.{os.environ.get('SLURM_RESTART_COUNT') or '0'}"

    @cached_property
    def told(self) -> dict[str, Any]:
        """job.json: everything that the submission says of this job."""
        told: dict[str, Any] = json.loads((self.folder / "job.json").read_text(encoding="utf-8"))
        return told

    def is_over(self) -> bool:
        """Whether an earlier start of this job came to its end."""
        return isinstance(read_json(self.folder / "result.json"), dict)

    def say(self, word: str) -> None:
        """Tell the other tasks of this start."""
        write_json(self.folder / "word.json", {"start": self.start, "word": word})

    def heard(self) -> str | None:
        """What the first task said at this start."""
        told = read_json(self.folder / "word.json")
        return str(told["word"]) if isinstance(told, dict) and told.get("start") == self.start else None

    def tell_failure(self, rank: int, code: int) -> None:
        """Tell the first task that this one's processes failed."""
        write_json(self.folder / f"failed-{self.start}-{rank}.json", {"exit_code": code})

    def failures(self) -> list[Path]:
        """What tasks of this start told of their failures."""
        return list(self.folder.glob(f"failed-{self.start}-*.json"))

    def last_step(self) -> int:
        """The newest step in progress.jsonl; 0 where there is none."""
        try:
            lines = self.progress.read_text(encoding="utf-8").splitlines()
        except OSError:
            return 0
        for line in reversed(lines):
            try:
                return int(json.loads(line)["step"])
            except (ValueError, TypeError, KeyError):
                continue
        return 0

    def made_progress(self) -> bool:
        """Whether it is further than at the last start that came to nothing."""
        return self.last_step() > max((int(start["step"]) for start in self._earlier()), default=0)

    def failed_before(self) -> int:
        """How many starts of this job failed."""
        return sum(bool(start["failed"]) for start in self._earlier())

    def note_start(self, *, failed: bool) -> None:
        """Remember how far this start came."""
        write_json(self._starts, [*self._earlier(), {"step": self.last_step(), "failed": failed}])

    def _earlier(self) -> list[dict[str, Any]]:
        told = read_json(self._starts)
        return told if isinstance(told, list) else []


def prepare(files: JobFiles) -> None:
    """Write the config with the inputs that earlier steps made; make room for the outputs. NotReady."""
    if not files.told["may_run"]:
        summary = f"{files.told['step']} is not finished and was not asked for"
        raise NotReady(diagnostic("NMT810", summary, fix="--from this step, or neither --from nor --only"))
    nodes = int(os.environ.get("SLURM_JOB_NUM_NODES", "1"))
    if nodes != files.told["nodes"]:
        summary = f"the job got {nodes} nodes, and was checked for {files.told['nodes']}"
        raise NotReady(
            diagnostic("NMT822", summary, fix="take `--nodes` out of the profile's sbatch options")
        )
    template = yaml.safe_load(files.config.read_text(encoding="utf-8"))
    config = filled(template, upstream(files))
    write_atomic(files.config, yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
    for name in ("outputs.json", "error.json"):
        (files.folder / name).unlink(missing_ok=True)
    is_forced = files.told["is_forced"] and files.start.endswith(".0")  # a later start goes on from this one
    for output in map(Path, files.told["outputs"].values()):
        if is_forced or not files.told["resumable"]:
            move_aside(output, files.start, is_forced=is_forced)
        output.mkdir(parents=True, exist_ok=True)


def upstream(files: JobFiles) -> dict[str, str]:
    """What stands for an output in the config → the path where an earlier step made it. NotReady NMT823."""
    return {name: _made(files.run / entry["attempt"], entry) for name, entry in files.told["after"].items()}


def _made(attempt: Path, entry: dict[str, Any]) -> str:
    result = read_json(attempt / "result.json")
    made = result.get("outputs", []) if isinstance(result, dict) else []
    for output in made:
        if output["port"] == entry["port"] and Path(output["path"]).exists():
            return str(output["path"])
    summary = f"{entry['step']} left no '{entry['port']}'"
    raise NotReady(diagnostic("NMT823", summary, file=attempt / "log", fix="run that step again"))


def filled(value: Any, made: dict[str, str]) -> Any:
    """Data with the paths of what was made in the place of what stands for it."""
    if isinstance(value, dict):
        return {key: filled(item, made) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, made) for item in value]
    if isinstance(value, str):
        for name, path in made.items():
            value = value.replace(name, path)
    return value


def argv(told: dict[str, Any], python: str, config: Path, rank: int) -> list[str]:
    """The command that starts this node's processes of the step."""
    program = [told["program"], "--config", str(config)]
    if told["launch"] != "torchrun":
        return [python, *program]
    meeting = ["--standalone"]
    if told["nodes"] > 1:
        meeting = [
            f"--nnodes={told['nodes']}",
            f"--node-rank={rank}",
            f"--master-addr={os.environ['MASTER_ADDR']}",
            f"--master-port={os.environ['MASTER_PORT']}",
        ]
    torchrun = [python, "-m", "torch.distributed.run", *meeting, f"--nproc-per-node={told['processes']}"]
    return [*torchrun, *program]


def environment(files: JobFiles) -> dict[str, str]:
    """The environment of the step: this job's, the secrets, the variables of profile and config."""
    secrets = read_json(files.secrets) or {}
    known = {**os.environ, **secrets}
    variables = {
        name: SECRET_REFERENCE.sub(lambda found: known.get(found[1], ""), value)
        for name, value in files.told["env_vars"].items()
    }
    return {**known, "PYTHONUNBUFFERED": "1", **variables}
