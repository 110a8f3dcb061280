"""What tests of the runner and of the command line share: data, runs in this process, processes, waiting."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from nemotron.catalog.catalog import default_catalog
from nemotron.execution import runner
from nemotron.execution.outputs import Made
from nemotron.execution.store import Attempt, Store
from nemotron.planning.request import StepRequest
from nemotron.planning.resolve import Wish, resolve

REPOSITORY = Path(__file__).resolve().parents[2]
FAKE = Path(__file__).resolve().parent / "fake"
Nemotron = Callable[..., "subprocess.CompletedProcess[str]"]
DEADLINE_SECONDS = 30.0


@pytest.fixture(scope="session", autouse=True)
def bytecode(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Processes keep compiled modules, also where the environment says otherwise: it halves their start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONDONTWRITEBYTECODE", "")
        patch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path_factory.mktemp("bytecode")))
        yield


@pytest.fixture
def fake_steps(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tests' own steps are found beside the shipped ones."""
    monkeypatch.setenv("NEMOTRON_STEPS_PATH", str(FAKE))
    return FAKE


@pytest.fixture
def chat(project: Path, fake_steps: Path) -> Path:
    """Three chat records in the project folder, with 2 + 1, 3 + 2 and 4 + 3 words."""
    return write_chat(project / "chat.jsonl", 3)


def write_chat(file: Path, count: int) -> Path:
    """`count` records; the turns of record n have n + 1 and n words."""
    with open(file, "w", encoding="utf-8") as stream:
        for number in range(1, count + 1):
            turns = [
                {"role": "user", "content": " ".join(["why"] * (number + 1))},
                {"role": "assistant", "content": " ".join(["so"] * number)},
            ]
            stream.write(json.dumps({"messages": turns}) + "\n")
    return file


@dataclass
class Recorder:
    """Events of a run, kept."""

    skipped_with: list[Made] | None = None
    adopted_from: Attempt | None = None
    changed: list[str] | None = None
    kept: list[Path] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)
    has_ended: bool = False

    def skipped(self, made: list[Made]) -> None:
        self.skipped_with = made

    def adopted(self, attempt: Attempt) -> None:
        self.adopted_from = attempt

    def started(self, attempt: Attempt, argv: list[str], changed: list[str]) -> None:
        self.changed = changed

    def moved(self, aside: list[Path]) -> None:
        self.kept = aside

    def log(self, line: str) -> None:
        self.lines.append(line)

    def progress(self, line: dict[str, Any]) -> None:
        self.steps.append(line)

    def stopping(self) -> None:
        pass

    def ended(self) -> None:
        self.has_ended = True


def request_for(step: str, *overrides: str, config: str = "default", gpus: int | None = None) -> StepRequest:
    return resolve(Wish(step, config, list(overrides), gpus), default_catalog())


def plan_for(step: str, *overrides: str, config: str = "default") -> runner.Plan:
    return runner.prepare(request_for(step, *overrides, config=config), Store.of_project())


def run_step(step: str, *overrides: str, config: str = "default") -> tuple[runner.Outcome, Recorder]:
    """Run a step from this process: its job is a process of its own, as always."""
    events = Recorder()
    return runner.run(plan_for(step, *overrides, config=config), Store.of_project(), events), events


def start_nemotron(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    """The command line as a process that goes on beside the test, in a session of its own."""
    environment = {**os.environ, "NO_COLOR": "1", **options.pop("env", {})}
    settings: dict[str, Any] = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "text": True,
        "start_new_session": True,
        "env": environment,
        **options,
    }
    return subprocess.Popen([sys.executable, "-m", "nemotron", *arguments], **settings)


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """Poll until the condition gives something true; its value. Fails the test after half a minute."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.02)
    pytest.fail(f"no {what} within {DEADLINE_SECONDS:.0f} s")


def attempts(project: Path, step: str = "*") -> list[Path]:
    """The folders of all attempts at a step, the oldest first."""
    found = (project / ".nemotron" / "runs").glob(f"*/{step}/*/config.yaml")
    return sorted(
        (file.parent for file in found), key=lambda f: (f.parent.parent.name[:15], f.stat().st_mtime_ns)
    )


def job_of(attempt: Path) -> int | None:
    """The pid of an attempt's job, once it is noted."""
    try:
        return int(json.loads((attempt / "command.json").read_text(encoding="utf-8"))["process"]["pid"])
    except (OSError, ValueError, KeyError):
        return None


def helpers_of(attempt: Path) -> list[int] | None:
    """The pids that a fake step told of the processes that it started."""
    try:
        told: list[int] = json.loads((attempt / "helpers.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return told


def wait_for_helpers(project: Path) -> tuple[Path, list[int]]:
    """The newest attempt and all of its processes (the job first), once its first epoch is over."""

    def running() -> tuple[Path, list[int]] | None:
        for attempt in reversed(attempts(project, "test-trainer")):
            helpers, job = helpers_of(attempt), job_of(attempt)
            if helpers is not None and job is not None and (attempt / "progress.jsonl").exists():
                return attempt, [job, *helpers]
        return None

    found: tuple[Path, list[int]] = wait_for(running, "job with helpers")
    return found


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return state.rpartition(")")[2].split()[0] != "Z"


def end_quietly(*pids: int) -> None:
    """For the end of a test that failed: no process is left behind."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def tree_of(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file below a folder but the run store: its content and its mtime in ns."""
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".nemotron" not in path.relative_to(folder).parts
    }
