"""Letter frequencies in epochs. Its helpers run in sessions of their own, as torchrun's workers do."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from nemotron.backends import job

HELPERS = {
    "polite": (["sleep", "1000"], None),
    "stubborn": (["sh", "-c", "trap '' TERM; sleep 1000 & wait; sleep 1000"], None),
    "stray": (["/bin/sh", "-c", "trap '' TERM; sleep 1000"], {}),
}


def start_helpers(names: list[str]) -> list[subprocess.Popen[bytes]]:
    return [
        subprocess.Popen(argv, env=environment, start_new_session=True)
        for argv, environment in (HELPERS[name] for name in names)
    ]


def main(run: job.Job) -> list[job.Output]:
    config, folder = run.config, Path(run.config["output"])
    state = folder / "state.json"
    done = json.loads(state.read_text(encoding="utf-8"))["epochs"] if state.exists() else 0
    print(f"starting after epoch {done}", file=sys.stderr)
    helpers = start_helpers(config["helpers"])
    job.write_json(run.folder / "helpers.json", [helper.pid for helper in helpers])
    letters: Counter[str] = Counter()
    for epoch in range(done + 1, config["epochs"] + 1):
        letters.update(Path(config["data"]).read_text(encoding="utf-8"))
        job.write_json(state, {"epochs": epoch})
        run.progress(epoch, config["epochs"], loss=1.0 / epoch)
        while config["pause"] and not Path(config["pause"]).read_text(encoding="utf-8"):
            time.sleep(0.02)
    for helper in helpers:
        helper.kill()
    model = folder / "model.json"
    job.write_json(model, {letter: count / letters.total() for letter, count in letters.items()})
    return [job.Output("model", model, {"iteration": config["epochs"]})]


if __name__ == "__main__":
    job.run(main)
