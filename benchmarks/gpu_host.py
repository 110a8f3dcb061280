"""Running nemotron's steps and torchrun on chosen GPUs of this host, for benchmarks. Starts processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from nemotron.libraries.environment import require

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parent / "src"


class Host:
    """The GPUs of this host, a folder to work in, and the Python that has Megatron-Bridge."""

    def __init__(self, work: Path, *, on_cpu: bool = False) -> None:
        self.work = work.resolve()
        self.on_cpu = on_cpu
        self.python = require("megatron_bridge").python
        self.gpus = ["cpu"] if on_cpu else _gpus()
        self.work.mkdir(parents=True, exist_ok=True)

    def environment(self, devices: list[str]) -> dict[str, str]:
        """This process's environment, in which these GPUs alone are seen."""
        path = os.pathsep.join(filter(None, [str(SOURCE), os.environ.get("PYTHONPATH", "")]))
        seen = {} if self.on_cpu else {"CUDA_VISIBLE_DEVICES": ",".join(devices)}
        # Packing needs transformers and pyarrow: where one Python has all libraries, it has them too.
        alone = "NEMOTRON_MEGATRON_BRIDGE_PYTHON" in os.environ
        packer = {"NEMOTRON_AUTOMODEL_PYTHON": str(self.python)} if alone else {}
        return {**packer, **os.environ, **seen, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1"}

    def nemotron(self, step: str, devices: list[str], keys: dict[str, Any]) -> dict[str, Any]:
        """Run a step on these GPUs; its JSON document. RuntimeError with the end of its log when it fails."""
        gpus = "0" if self.on_cpu else str(len(devices))
        argv = [sys.executable, "-m", "nemotron", "steps", "run", step, "--gpus", gpus, "--json", "--quiet"]
        argv += [f"{key}={_as_yaml(value)}" for key, value in keys.items()]
        # The number of GPUs is no part of a step's key: side by side, two layouts may be one step to a store.
        project = self.work / "projects" / ("-".join(devices) or "cpu")
        (project / ".nemotron").mkdir(parents=True, exist_ok=True)
        environment = self.environment(devices)
        done = subprocess.run(argv, cwd=project, env=environment, capture_output=True, text=True)
        told: dict[str, Any] = json.loads(done.stdout) if done.stdout else {}
        if done.returncode:
            log = end_of(Path(told["log"])) if told.get("log") else done.stderr
            raise RuntimeError(f"{step} ended with {done.returncode}: {told.get('diagnostics')}\n{log}")
        return told

    def torchrun(self, devices: list[str], log: Path, *arguments: str, seconds: float | None = None) -> int:
        """Start `megatron_direct.py` with a process for each of these GPUs; its exit code."""
        argv = [str(self.python), "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
        argv += [str(len(devices)), str(HERE / "megatron_direct.py"), *arguments]
        folder = log.with_suffix(".folder")
        folder.mkdir(exist_ok=True)
        environment = self.environment(devices)
        with open(log, "wb") as stream:
            process = subprocess.Popen(argv, cwd=folder, env=environment, stdout=stream, stderr=stream)
            try:
                return process.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                process.terminate()
                return process.wait()


def end_of(log: Path) -> str:
    """The last lines of a log."""
    return log.read_text(encoding="utf-8", errors="replace")[-3000:]


def _as_yaml(value: Any) -> str:
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)


def _gpus() -> list[str]:
    """The indices of the GPUs that this process may use."""
    if named := os.environ.get("CUDA_VISIBLE_DEVICES"):
        return named.split(",")
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=True).stdout
    return [str(number) for number in range(len(listed.splitlines()))]
