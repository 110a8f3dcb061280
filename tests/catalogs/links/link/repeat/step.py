"""Repeats chat records: a link of a chain, which may be told to fail or to wait."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from nemotron.backends import job
from nemotron.backends.output import new_folder


def main(run: job.Job) -> list[job.Output]:
    config = run.config
    lines = Path(config["data"]).read_text(encoding="utf-8").splitlines()
    print(f"repeating {len(lines)} records", flush=True)
    run.progress(1, 2, unit="pass", loss=0.25)
    while config["pause"] and not Path(config["pause"]).read_text(encoding="utf-8"):
        time.sleep(0.02)
    if config["fails"]:
        sys.exit("this link is broken")
    records = new_folder(config["output"], "output") / "records.jsonl"
    records.write_text("\n".join(lines * config["times"]) + "\n", encoding="utf-8")
    return [job.Output("records", records)]


if __name__ == "__main__":
    job.run(main)
