"""How long handing 200 steps to Slurm takes, as a whole process.

    uv run python benchmarks/slurm_submit.py

A Slurm of the tests (tests/cluster.py: four nodes on this machine, an ssh server before it; as root) gets a
pipeline of ten chains of twenty steps over ssh. Beside it stands what 200 bare `sbatch` of an empty script
take there in one shell, each held and taken back. Prints the median of three rounds.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path.insert(0, str(TESTS))

from cluster import Cluster  # noqa: E402

ROUNDS, CHAINS, LENGTH = 3, 10, 20
JOBS = CHAINS * LENGTH
PROFILE = """\
[cluster]
executor = "slurm"
host = "cluster"
remote_job_dir = "{folder}/shared"
python = "{python}"
mounts = ["{folder}"]
time = "00:10:00"
"""
BARE = f"""\
printf '#!/bin/sh\\n' >empty
for _ in $(seq {JOBS}); do sbatch --parsable --hold empty </dev/null >>ids; done
"""


def write_project(folder: Path) -> None:
    """A project with a profile of the cluster and the pipeline."""
    (folder / ".nemotron").mkdir()
    (folder / "env.toml").write_text(PROFILE.format(folder=folder, python=sys.executable), encoding="utf-8")
    record = '{"messages": [{"role": "user", "content": "why"}, {"role": "assistant", "content": "so"}]}\n'
    (folder / "chat.jsonl").write_text(record, encoding="utf-8")
    steps = {
        f"c{chain}_{number}": {
            "step": "link/repeat",
            "inputs": {"training_jsonl": f"c{chain}_{number - 1}" if number else "chat"},
            "set": {"times": chain + 1},
        }
        for chain in range(CHAINS)
        for number in range(LENGTH)
    }
    have = {"chat": {"type": "training_jsonl", "path": "chat.jsonl"}}
    whole = {"version": 1, "want": "training_jsonl", "have": have, "steps": steps}
    (folder / "pipeline.yaml").write_text(yaml.safe_dump(whole, sort_keys=False), encoding="utf-8")


def submit(cluster: Cluster, folder: Path) -> float:
    """Seconds of the whole command, from the pipeline file to the release of the first jobs."""
    environment = {
        **os.environ,
        "PATH": f"{cluster.bin}:{os.environ['PATH']}",
        "NEMOTRON_STEPS_PATH": str(TESTS / "catalogs" / "links"),
    }
    began = time.perf_counter()
    command = ["pipeline", "run", "pipeline.yaml", "--batch", "cluster", "--yes"]
    subprocess.run(
        [sys.executable, "-m", "nemotron", *command],
        cwd=folder,
        env=environment,
        check=True,
        capture_output=True,
    )
    whole = time.perf_counter() - began
    run = max((folder / "shared").glob("2*"), key=lambda path: path.stat().st_mtime)
    assert len((run / "jobs").read_text(encoding="utf-8").splitlines()) == JOBS
    return whole


def bare(cluster: Cluster, folder: Path) -> float:
    """Seconds of as many `sbatch` in one shell."""
    environment = {**os.environ, "SLURM_CONF": str(cluster.conf)}
    began = time.perf_counter()
    subprocess.run(["bash", "-c", BARE], cwd=folder, env=environment, check=True)
    return time.perf_counter() - began


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="nmt-") as temporary:
        folder = Path(temporary)
        write_project(folder)
        cluster = Cluster(folder / "cluster")
        times: list[tuple[float, float]] = []
        try:
            cluster.start()
            for _ in range(ROUNDS):
                own = submit(cluster, folder)
                cluster.command("scancel", "-u", "root")
                loop = bare(cluster, folder)
                cluster.command("scancel", "-u", "root")
                times.append((own, loop))
        finally:
            cluster.stop()
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for name, seconds in zip(
        ("nemotron pipeline run --batch", f"{JOBS} bare sbatch"), zip(*times, strict=True), strict=True
    ):
        print(f"{name:<32}{statistics.median(seconds):6.2f} s   ({', '.join(f'{s:.2f}' for s in seconds)})")


if __name__ == "__main__":
    main()
