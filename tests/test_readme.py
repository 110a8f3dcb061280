"""Every command in README is run, after one quick start: its transcripts in an empty folder."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from quick import REPOSITORY, QuickStart

# A command that was folded is one line.
README = (REPOSITORY / "README.md").read_text(encoding="utf-8").replace("\\\n", "")
# Run by the fixture, and by whoever runs these tests.
RUN_ELSEWHERE = ("make quickstart", "make test")
WRITTEN = REPOSITORY / "steps" / "sft" / "automodel" / "config" / "short.yaml"

pytestmark = pytest.mark.training


def commands() -> Iterator[str]:
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL):
        for line in block.splitlines():
            command = line.split("   #")[0].strip()
            if command and command not in RUN_ELSEWHERE:
                yield command


@dataclass(frozen=True)
class Transcript:
    """A command of README with what it printed there."""

    command: str
    printed: str

    @property
    def exit_code(self) -> int:
        return 2 if self.errors else 0

    @property
    def errors(self) -> list[str]:
        return re.findall(r"^error\[.*$", self.printed, re.MULTILINE)


def transcripts() -> Iterator[Transcript]:
    for block in re.findall(r"```\n(\$ .*?)```", README, re.DOTALL):
        for command in re.findall(r"^\$ (uv .*)$", block, re.MULTILINE):
            yield Transcript(command.replace("~/nemotron", str(REPOSITORY)), block)


@pytest.fixture(scope="module", autouse=True)
def new_config_is_removed() -> Iterator[None]:
    WRITTEN.unlink(missing_ok=True)
    yield
    WRITTEN.unlink(missing_ok=True)


def test_readme_names_both_commands() -> None:
    assert all(command in README for command in RUN_ELSEWHERE)


@pytest.mark.usefixtures("quickstart")
@pytest.mark.parametrize("command", list(commands()))
def test_the_command_works(command: str) -> None:
    done = subprocess.run(
        shlex.split(command),
        cwd=REPOSITORY,
        env={**os.environ, "COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("shown", list(transcripts()), ids=lambda shown: f"exit {shown.exit_code}")
def test_the_transcript_is_what_happens(shown: Transcript, quickstart: QuickStart, tmp_path: Path) -> None:
    (tmp_path / ".nemotron").mkdir()
    done = subprocess.run(
        shlex.split(shown.command),
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "100", "NEMOTRON_QUICKSTART": str(quickstart.output)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    printed = done.stdout + done.stderr
    assert done.returncode == shown.exit_code, printed
    assert [line for line in shown.errors if line not in printed] == []
    assert ("step 30/30" in printed) == ("step 30/30" in shown.printed), printed


@pytest.mark.parametrize("file", ["README.md", "examples/quickstart/README.md", "benchmarks/README.md"])
def test_links_lead_somewhere(file: str) -> None:
    page = REPOSITORY / file
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_numbers_of_the_exit_codes_are_those_of_the_code() -> None:
    from nemotron.cli import app

    assert f"{app.BUG} a bug of ours, {app.INTERRUPTED} interrupted" in README


def test_no_placeholder_is_left() -> None:
    text = README + (Path(REPOSITORY) / "benchmarks" / "README.md").read_text(encoding="utf-8")
    assert not re.search(r"\b(?:TRANSCRIPT|STEPS_LIST)\w*\b", text)
