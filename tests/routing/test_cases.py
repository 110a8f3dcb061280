"""Requests in people's words, as cases.yaml has them: each as the command that it means, with its outcome."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from at_hand import CATALOG, at_hand, parquet
from small import checkpoint, jsonl, write

from nemotron.cli.app import app
from nemotron.diagnostic import Failure

__all__ = ["at_hand"]
CASES_FILE = Path(__file__).parent / "cases.yaml"
EXIT_CODES = {"planned": 0, "failed": 1, "refused": 2, "blocked": 3}


@dataclass(frozen=True)
class Case:
    """A request; cases.yaml says what each field means."""

    ask: str
    command: str
    outcome: str
    steps: list[str] = field(default_factory=list)
    artifacts: list[str] = field(default_factory=list)
    inputs: dict[str, dict[str, str]] = field(default_factory=dict)
    codes: list[str] = field(default_factory=list)
    warns: list[str] = field(default_factory=list)
    asks: list[str] = field(default_factory=list)
    never: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    process: bool = False

    @property
    def arguments(self) -> list[str]:
        return [*shlex.split(self.command), "--json"]

    @property
    def runs_a_job(self) -> bool:
        return self.command.startswith("steps run") and "--dry-run" not in self.command


@dataclass(frozen=True)
class Answer:
    """What a command answered: its exit code and its document."""

    exit_code: int
    told: dict[str, Any]

    @property
    def steps(self) -> list[str]:
        if "decision" in self.told:
            return list(self.told["decision"])
        step = self.told.get("step")
        return [step["id"] if isinstance(step, dict) else step] if step else []

    @property
    def types(self) -> set[str]:
        """The types on the plan's edges and the wanted one; of `steps show`, those of the step's ports."""
        if "consumes" in self.told:
            return {port["type"] for port in [*self.told["consumes"], *self.told["produces"]]}
        if "decision" not in self.told:
            return set()
        return {self.told["want"], *self._between_steps()}

    def _between_steps(self) -> Iterator[str]:
        steps = {step["name"]: step["step"] for step in self.told["steps"]}
        for step in self.told["steps"]:
            for link in step["inputs"].values():
                maker, dot, port = link.partition(".")
                if dot:
                    made = CATALOG.step(steps[maker]).manifest.produces
                    yield next(output.type for output in made if output.name == port)

    def codes(self, named: list[str]) -> set[str]:
        """What is wrong or missing. What this machine lacks (NMT6xx) counts only where the case names it."""
        return {
            problem["code"]
            for problem in self.told["diagnostics"]
            if problem["severity"] in ("error", "blocked")
            and (not problem["code"].startswith("NMT6") or problem["code"] in named)
        }


CASES = [Case(**table) for table in yaml.safe_load(CASES_FILE.read_text(encoding="utf-8"))]


@pytest.fixture
def desk(at_hand: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with everything that the requests speak of, and no profile."""
    monkeypatch.delenv("NEMOTRON_ENV_FILE", raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    (at_hand / ".nemotron").mkdir()
    jsonl(at_hand / "prompts.jsonl", {"prompt": "1 + 1?", "answer": "2"})
    checkpoint(at_hand / "judge", max_position_embeddings=1 << 15)
    write(at_hand / "docs" / "handbook.md", "Press the red button.\n")
    (at_hand / "packs").mkdir()
    parquet(at_hand / "packs" / "part.parquet", "input_ids", "loss_mask", "seq_start_id")
    write(at_hand / "binidx" / "blend.json", '{"data_paths": [1, "part"]}')
    for ending in ("bin", "idx"):
        write(at_hand / "binidx" / f"part.{ending}", "tokens")
    write(at_hand / "run" / "latest_checkpointed_iteration.txt", "10")
    write(at_hand / "run" / "iter_0000010" / "run_config.yaml", "model: {}\n")
    write(at_hand / "run" / "iter_0000010" / ".metadata", "shards")
    return at_hand


def warnings(answer: Answer) -> set[str]:
    return {problem["code"] for problem in answer.told["diagnostics"] if problem["severity"] == "warning"}


def require(case: Case, answer: Answer) -> None:
    """The answer is the one that the case expects; all of it is told where it is not."""
    shown = json.dumps(answer.told, indent=1)[:4000]
    assert answer.exit_code == EXIT_CODES[case.outcome], shown
    assert answer.codes(case.codes) == set(case.codes), shown
    assert warnings(answer) == set(case.warns), shown
    assert answer.steps == case.steps, shown
    if "consumes" in answer.told:
        assert set(case.artifacts) <= answer.types
    else:
        assert answer.types == set(case.artifacts), shown
    assert [q["key"] for q in answer.told.get("required_inputs", [])] == case.asks
    bound = {step["name"]: step["inputs"] for step in answer.told.get("steps", []) if "inputs" in step}
    assert {name: bound.get(name) for name in case.inputs} == case.inputs
    assert set(case.never) & set(answer.steps) == set()


def in_this_process(case: Case, capsys: pytest.CaptureFixture[str]) -> Answer:
    try:
        code = int(app(case.arguments, standalone_mode=False) or 0)
    except Failure as failure:
        problems = [{"code": d.code, "severity": d.severity.value} for d in failure.diagnostics]
        return Answer(failure.exit_code, {"diagnostics": problems})
    return Answer(code, {"diagnostics": [], **json.loads(capsys.readouterr().out)})


def through_the_process(case: Case, folder: Path) -> Answer:
    command = [sys.executable, "-m", "nemotron", *case.arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    answer = Answer(done.returncode, json.loads(done.stdout))
    assert answer.told["exit_code"] == done.returncode
    return answer


@pytest.mark.parametrize("case", [c for c in CASES if not c.runs_a_job], ids=lambda case: case.ask)
def test_a_request_has_its_outcome(case: Case, desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, text in case.files.items():
        write(desk / name, text)
    require(case, in_this_process(case, capsys))


@pytest.mark.parametrize(
    "case",
    [pytest.param(c, marks=pytest.mark.training if c.runs_a_job else ()) for c in CASES if c.process],
    ids=lambda case: case.ask,
)
def test_a_request_has_its_outcome_as_a_process(case: Case, desk: Path) -> None:
    for name, text in case.files.items():
        write(desk / name, text)
    require(case, through_the_process(case, desk))


def test_every_step_is_the_answer_to_a_request() -> None:
    answered = {step for case in CASES if case.outcome == "planned" for step in case.steps}
    assert set(CATALOG.folders) - answered == set()


def test_requests_are_many_and_no_two_are_one() -> None:
    assert len(CASES) >= 40
    assert len({case.ask for case in CASES}) == len({case.command for case in CASES}) == len(CASES)
    assert {case.outcome for case in CASES} == set(EXIT_CODES)
