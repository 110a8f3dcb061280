"""What every command prints with: one JSON document on stdout, or text for people; problems go to stderr."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from shlex import quote
from typing import Any

from nemotron.checking.render import as_dict, render
from nemotron.diagnostic import Diagnostic
from nemotron.files import home

JSON_VERSION = 1


def print_json(document: dict[str, Any], diagnostics: Iterable[Diagnostic] = ()) -> None:
    """One JSON document on stdout, with its version and the diagnostics."""
    whole = {"version": JSON_VERSION, **document, "diagnostics": [as_dict(d) for d in diagnostics]}
    ascii_only = not (sys.stdout.encoding or "").lower().startswith("utf")
    print(json.dumps(whole, indent=1, ensure_ascii=ascii_only, default=str))


def print_diagnostics(diagnostics: Iterable[Diagnostic]) -> None:
    """Every problem for people, on stderr."""
    text = render(list(diagnostics), color=wants_color(sys.stderr))
    if text:
        print(text, file=sys.stderr)


def wants_color(stream: Any) -> bool:
    return stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def width() -> int:
    """The columns of the terminal; 100 where there is none."""
    return shutil.get_terminal_size((100, 24)).columns


def shorten(text: str, columns: int) -> str:
    return text if len(text) <= columns else text[: max(0, columns - 1)].rstrip() + "…"


def short_path(path: Path | str) -> str:
    """A path as a person would type it: relative to the working directory, or to the home."""
    path = Path(path)
    for folder, sign in ((Path.cwd(), ""), (home(), "~/")):
        if folder is not None and path != folder and path.is_relative_to(folder):
            return sign + str(path.relative_to(folder))
    return str(path)


def short_command(argv: list[str]) -> str:
    """A command as a person would type it: absolute paths shortened, everything else quoted for a shell."""
    return " ".join(
        short_path(word) if word.startswith("/") and " " not in word else quote(word) for word in argv
    )
