"""env/env_toml: answers → a file of profiles, which `nemotron env list` has read before it is put in place.

Runs in nemotron's own Python. Writes the output folder and one file of the project, over which it never
writes without `force`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import tomli_w

from nemotron.backends.job import Job, JobError, Output
from nemotron.backends.output import new_folder
from nemotron.files import project_root, write_atomic

_HEAD = (
    "# Profiles: where steps run. `nemotron env list` lists them, `nemotron env check PROFILE` tries one.\n\n"
)


def main(job: Job) -> list[Output]:
    """Write the file. JobError NMT629 where it is there already, NMT615 to NMT617 for what is no profile."""
    sections = job.config["sections"]
    target = project_root(job.folder) / Path(job.config["output_path"]).expanduser()
    text = _HEAD + tomli_w.dumps(_without_nulls(sections))
    _refuse_to_overwrite(target, text, force=bool(job.config.get("force")))
    made = new_folder(job.config["output_dir"], "output_dir") / "env.toml"
    write_atomic(made, text)
    _require_profiles(made)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(target, text)
    print(f"{len(sections)} profiles in {target}: {', '.join(sections)}", flush=True)
    return [Output("env_toml", made)]


def _refuse_to_overwrite(target: Path, text: str, *, force: bool) -> None:
    if force or not target.exists() or target.read_text(encoding="utf-8", errors="replace") == text:
        return
    raise JobError(
        "NMT629",
        f"{target} is there already, and is not overwritten",
        file=target,
        fix="force=true, or output_path=env.NAME.toml",
    )


def _require_profiles(file: Path) -> None:
    """Have the program that reads such files read this one: it alone knows every key of a profile."""
    listed = subprocess.run(
        [sys.executable, "-m", "nemotron", "env", "list", "--json"],
        env={**os.environ, "NEMOTRON_ENV_FILE": str(file)},
        capture_output=True,
        text=True,
        check=True,
    )
    wrong = [d for d in json.loads(listed.stdout)["diagnostics"] if d["severity"] == "error"]
    for problem in wrong:
        print(f"{problem['code']}: {problem['summary']} ({problem['fix']})", file=sys.stderr, flush=True)
    if wrong:
        first, where = wrong[0], wrong[0]["where"] or {}
        raise JobError(
            first["code"], first["summary"], file=where.get("file"), line=where.get("line"), fix=first["fix"]
        )


def _without_nulls(value: Any) -> Any:
    """TOML has no null: a key without a value is left out."""
    if isinstance(value, dict):
        return {str(key): _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value if item is not None]
    return value
