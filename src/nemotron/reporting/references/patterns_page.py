"""PATTERNS.md: the decisions that reach over several steps, and which steps cite each. Reads the patterns."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from nemotron.catalog.catalog import Step
from nemotron.reporting.references.markdown import (
    Lines,
    header,
    one_line,
    paragraph,
)

_PATTERN = re.compile(r"patterns/([\w-]+)\.md")


@dataclass(frozen=True)
class Pattern:
    """A page of `steps/patterns`: its id, its title, and the one sentence that decides."""

    id: str
    title: str
    decision: str


def read_patterns(folder: Path) -> list[Pattern]:
    """The patterns in a folder, by id."""
    pages = sorted(page for page in folder.glob("*.md") if page.stem != "README")
    return [_read(page) for page in pages]


def cited_by(pattern: str, steps: list[Step]) -> list[str]:
    """The steps that name a pattern in their manifest or their README."""
    return [step.id for step in steps if pattern in _citations(step)]


def patterns_page(patterns: list[Pattern], steps: list[Step]) -> Lines:
    """The lines of the page."""
    yield from header("Patterns", "`steps/patterns/*.md` and the manifests that cite them")
    yield from paragraph(
        "Decisions that reach over several steps.",
        "Each page says what to decide, why, how to verify it, and when it does not hold.",
    )
    for pattern in patterns:
        yield from (f"## [{pattern.title}](../steps/patterns/{pattern.id}.md)", "")
        yield from (f"`{pattern.id}`: {pattern.decision}", "")
        links = (f"[{name}](../steps/{name}/README.md)" for name in cited_by(pattern.id, steps))
        yield from (f"Cited by {', '.join(links) or 'no step'}.", "")


def _read(page: Path) -> Pattern:
    title, decision = page.read_text(encoding="utf-8").split("\n\n", 2)[:2]
    return Pattern(page.stem, title.removeprefix("# ").strip(), one_line(decision))


def _citations(step: Step) -> set[str]:
    manifest = step.manifest
    named = [*(s.pattern for s in manifest.strategies), *(p.pattern for p in manifest.prefer)]
    cited = {pattern for pattern in named if pattern is not None}
    readme = step.folder / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    return cited | set(_PATTERN.findall(text))
