"""Copies a file in two halves, and notes each start and each end in the file that CHAIN_LOG names."""

from __future__ import annotations

import os
from pathlib import Path

from nemotron.backends import job


def note(words: str) -> None:
    """One whole line at once: O_APPEND keeps those of several processes apart."""
    with open(os.environ["CHAIN_LOG"], "a", encoding="utf-8") as stream:
        stream.write(words + "\n")


def main(run: job.Job) -> list[job.Output]:
    name = run.folder.parent.name
    note(f"start {name}")
    text = Path(run.config["data"]).read_text(encoding="utf-8")
    target = Path(run.config["output"]) / "copy.jsonl"
    with open(target, "w", encoding="utf-8") as stream:
        stream.write(text[: len(text) // 2])
        stream.flush()
        run.progress(1, 2, loss=1.0)
        stream.write(text[len(text) // 2 :])
    run.progress(2, 2, loss=0.5)
    note(f"end {name}")
    return [job.Output("training_jsonl", target)]


if __name__ == "__main__":
    job.run(main)
