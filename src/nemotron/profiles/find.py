"""Which file holds a profile: $NEMOTRON_ENV_FILE, else env.toml, else one env.*.toml. Reads these files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from nemotron.catalog.toml_model import parse_toml
from nemotron.diagnostic import Failure, Place, Related, blocked, error
from nemotron.files import project_root
from nemotron.nearest import did_you_mean

VARIABLE = "NEMOTRON_ENV_FILE"
EXAMPLE = "env.example.toml"
_HOW_TO = "`nemotron steps run env/env_toml` writes an env.toml"


def env_files(start: Path | None = None) -> list[Path]:
    """The files that may hold profiles, in the order of the search; the example is none of them."""
    if named := os.environ.get(VARIABLE):
        return [Path(named).expanduser()]
    found: list[Path] = []
    for folder in _folders(start):
        own = folder / "env.toml"
        others = sorted(f for f in folder.glob("env.*.toml") if f.name != EXAMPLE and f.is_file())
        found += [*([own] if own.is_file() else []), *others]
    return found


def find_file(name: str, start: Path | None = None) -> Path:
    """The file that holds the profile. Failure NMT613 where none does, NMT614, NMT618 where several do.

    In each folder upwards `env.toml` comes first; then exactly one `env.*.toml` may hold it.
    """
    files = env_files(start)
    holding = [file for file in files if name in tables(file)]
    if not holding:
        raise _nowhere(name, files)
    beside = [file for file in holding if file.parent == holding[0].parent]
    if holding[0].name != "env.toml" and len(beside) > 1:
        names = " and ".join(file.name for file in beside)
        related = tuple(Related(Place(str(file)), "it is here too") for file in beside[1:])
        raise Failure(
            error(
                "NMT618",
                f"the profile '{name}' is in {names}",
                where=Place(str(beside[0])),
                related=related,
                fix=f"rename one, or say which file: export {VARIABLE}={beside[0]}",
            )
        )
    return holding[0]


def tables(file: Path) -> dict[str, Any]:
    """The tables of a file by name; Failure NMT614 where it cannot be read."""
    return parse_toml(file, "NMT614")


def _folders(start: Path | None) -> list[Path]:
    """The folders from here up to the project's root."""
    here = (start or Path.cwd()).resolve()
    root = project_root(here)
    return [folder for folder in (here, *here.parents) if folder == root or root in folder.parents]


def _nowhere(name: str, files: list[Path]) -> Failure:
    known = [other for file in files for other in tables(file)]
    fix = did_you_mean(name, known) or (f"the profiles are: {', '.join(known)}" if known else _HOW_TO)
    detail = "" if files else "there is no env.toml here or above, up to the project's root"
    return Failure(blocked("NMT613", f"there is no profile '{name}'", detail=detail, fix=fix))
