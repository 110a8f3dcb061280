"""Counts words by role, with progress for each record."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path

from nemotron.backends import job
from nemotron.backends.output import new_folder


def main(run: job.Job) -> list[job.Output]:
    config = run.config
    lines = Path(config["data"]).read_text(encoding="utf-8").splitlines()
    counts: Counter[str] = Counter()
    for number, line in enumerate(lines, start=1):
        for turn in json.loads(line)["messages"]:
            size = len(turn["content"].split() if config["unit"] == "words" else turn["content"])
            counts[turn["role"]] += size if size >= config["minimum"] else 0
        run.progress(number, len(lines), unit="record", loss=1 / number, tokens_per_s=1234.5)
    print(f"counted {len(lines)} records")
    while config["pause"] and not Path(config["pause"]).read_text(encoding="utf-8"):
        time.sleep(0.02)
    folder = new_folder(config["output"], "output")
    job.write_json(folder / "counts.json", dict(counts))
    return [job.Output("counts", folder, {"documents": len(lines)})]


if __name__ == "__main__":
    job.run(main)
