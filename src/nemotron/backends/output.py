"""The output folder of a job: made, and never written over."""

from __future__ import annotations

from pathlib import Path

from nemotron.backends.job import JobError


def new_folder(path: str, key: str) -> Path:
    """The folder `path`, made if it is not there. JobError NMT704 when it holds anything already.

    `key` is the config key that named it. Hidden entries do not count: runners keep their notes in them.
    """
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise JobError("NMT704", f"the output folder {path} is a file", fix=f"{key}=ANOTHER FOLDER")
    folder.mkdir(parents=True, exist_ok=True)
    held = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    if held:
        some = ", ".join(held[:3]) + (", …" if held[3:] else "")
        raise JobError(
            "NMT704",
            f"the output folder {path} is not empty: it holds {some}",
            fix=f"{key}=ANOTHER FOLDER, or move away what is there",
        )
    return folder
