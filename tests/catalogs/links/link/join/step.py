"""Joins files of chat records: where the branches of a pipeline meet again."""

from __future__ import annotations

from pathlib import Path

from nemotron.backends import job
from nemotron.backends.output import new_folder


def main(run: job.Job) -> list[job.Output]:
    sources = [Path(source) for source in run.config["data"]]
    records = new_folder(run.config["output"], "output") / "records.jsonl"
    records.write_text("".join(source.read_text(encoding="utf-8") for source in sources), encoding="utf-8")
    return [job.Output("records", records)]


if __name__ == "__main__":
    job.run(main)
