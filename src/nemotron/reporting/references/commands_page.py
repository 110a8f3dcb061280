"""COMMANDS.md: for each step its command lines, configs, required values and credentials.

Reads the shipped configs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nemotron.catalog.catalog import Step
from nemotron.catalog.types import Types
from nemotron.config.layers import read_layers
from nemotron.config.tree import MISSING, Document, join_key, leaves
from nemotron.reporting.references.markdown import (
    Lines,
    code,
    codes,
    header,
    one_line,
    paragraph,
    points,
    prose,
    shell,
    table,
)

_WIDTH = 100
_PLACEHOLDERS = {"integer": "N", "number": "N", "path": "PATH"}


@dataclass(frozen=True)
class CommandHelp:
    """A command as its own help describes it: its words, its flags, the first sentence."""

    name: str
    flags: tuple[str, ...]
    summary: str


def commands_page(steps: list[Step], types: Types, commands: list[CommandHelp]) -> Lines:
    """The lines of the page."""
    yield from header(
        "Commands", "the manifests, the configs in `steps/**/config/` and the command line's own help"
    )
    yield from paragraph(
        "In a checkout every command begins with `uv run`; words in capitals are yours to fill in.",
        "Any key of a config may be set, as `KEY=VALUE`, or deleted, as `~KEY`.",
        "Where `--json` is listed, the command prints one JSON document.",
    )
    yield from ("## The same for every step", "")
    yield from shell(_COMMON)
    yield from ("## Steps", "")
    for step in steps:
        yield from _section(step, types)
    yield from ("## Every command and its flags", "")
    yield from points(
        f"`nemotron {command.name}`: {prose(command.summary)} {codes(command.flags, none='')}".rstrip()
        for command in commands
    )


_COMMON = (
    "nemotron steps list",
    "nemotron steps show STEP",
    "nemotron steps check STEP -c CONFIG KEY=VALUE",
    "nemotron steps run STEP -c CONFIG KEY=VALUE --dry-run",
    "nemotron steps run STEP -c CONFIG KEY=VALUE --gpus N --nodes N",
    "nemotron steps run STEP -c CONFIG --run PROFILE",
    "nemotron steps run STEP -c CONFIG --batch PROFILE --yes",
    "nemotron steps new-config STEP NAME KEY=VALUE",
    "nemotron schema STEP",
)


def _section(step: Step, types: Types) -> Lines:
    yield from (f"### {step.id}", "")
    files = {name: step.config_folder / f"{name}.yaml" for name in step.config_names()}
    about = {name: said for name, file in files.items() if (said := _about(file))}
    needed = {name: list(required_keys(step, read_layers(files[name]))) for name in about}
    yield from shell(_shapes(step, types, needed))
    rows = ([code(name), prose(said), _needs(needed[name])] for name, said in about.items())
    yield from table(["Config", "What it does", "Must be given"], rows)
    if credentials := step.manifest.credentials:
        yield from ("Variables that it reads, and when:", "")
        yield from points(f"`{variable}`: {prose(when)}" for variable, when in credentials.items())


def required_keys(step: Step, document: Document) -> Iterator[tuple[str, ...]]:
    """What a config leaves to be given: for each, the keys of which one is."""
    ports = step.manifest.consumes
    groups = {p.at: tuple(q.at for q in ports if q.one_of == p.one_of) for p in ports if p.one_of}
    for keys in dict.fromkeys(groups.values()):
        if not any(_given(document, key) for key in keys):
            yield keys
    single = [port.at for port in ports if port.required and not port.one_of]
    single += [parameter.key for parameter in step.manifest.parameters if parameter.required]
    single += [join_key(path) for path, value in leaves(document.tree) if value == MISSING]
    yield from ((k,) for k in dict.fromkeys(single) if k not in groups and not _given(document, k))


def _given(document: Document, key: str) -> bool:
    return document.get(key) not in (None, "", MISSING)


def _shapes(step: Step, types: Types, needed: dict[str, list[tuple[str, ...]]]) -> Iterator[str]:
    """The smallest config first; then the default one: a dry run, the run, the run on a cluster."""
    run = f"nemotron steps run {step.id}"
    if "tiny" in needed:
        yield _folded([f"{run} -c tiny", *_settings(step, types, needed["tiny"])])
    given = _settings(step, types, needed.get("default", []))
    for last in ("--dry-run", "", "--batch PROFILE"):
        yield _folded(list(filter(None, [run, *given, last])))


def _settings(step: Step, types: Types, needed: list[tuple[str, ...]]) -> list[str]:
    return [f"{keys[0]}={_placeholder(step, types, keys[0])}" for keys in needed]


def _placeholder(step: Step, types: Types, key: str) -> str:
    port = next((p for p in step.manifest.consumes if p.at == key), None)
    if port is not None:
        return "PATH" if types[port.type].on_disk else "URL"
    kind = next((p.type for p in step.manifest.parameters if p.key == key), "string")
    return _PLACEHOLDERS.get(kind, "VALUE")


def _folded(words: list[str]) -> str:
    """A command on one line, or on several where it is long."""
    whole = " ".join(words)
    return whole if len(whole) <= _WIDTH else " \\\n  ".join(words)


def _needs(needed: list[tuple[str, ...]]) -> str:
    return ", ".join(" or ".join(map(code, keys)) for keys in needed) or "nothing"


def _about(file: Path) -> str:
    """The first sentence of the comment that a config begins with; nothing where `new-config` made it."""
    words: list[str] = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if "yaml-language-server:" not in line:
            words.append(line.removeprefix("#"))
    sentence = one_line(" ".join(words)).partition(". ")[0].rstrip(".")
    return f"{sentence}." if sentence else ""
