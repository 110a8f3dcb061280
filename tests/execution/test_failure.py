"""Why a job failed: what it said, what the kernel did, and the known errors in its log."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from catalogs.helpers import request_for

from nemotron.diagnostic import Diagnostic
from nemotron.execution.failure import Recovery, explain
from nemotron.execution.store import Attempt, write_json
from nemotron.planning.request import StepRequest


@pytest.fixture
def attempt(tmp_path: Path) -> Attempt:
    return Attempt(tmp_path)


@pytest.fixture
def request_(fake_steps: Path) -> StepRequest:
    return request_for("test/breaks")


def explained(
    request: StepRequest, attempt: Attempt, log: str | bytes, exit_code: int = 1, memory_kills: int = 0
) -> tuple[Diagnostic, list[Recovery]]:
    attempt.log.write_bytes(log if isinstance(log, bytes) else log.encode())
    return explain(request, attempt, exit_code, memory_kills=memory_kills)


def test_every_known_error_in_the_log_is_found_with_its_line(request_: StepRequest, attempt: Attempt) -> None:
    log = "one\n  voltage 9 is wrong\ncable 3 is loose\ncable 4 is loose\n[Errno 28]\n"
    _, found = explained(request_, attempt, log)
    assert [(f.id, f.line, f.text) for f in found] == [
        ("loose_cable", 3, "cable 3 is loose"),
        ("wrong_voltage", 2, "voltage 9 is wrong"),
        ("disk_full", 5, "[Errno 28]"),
    ]
    assert found[0].recovery == "Push the cable in."


def test_lines_are_counted_as_an_editor_counts_them(request_: StepRequest, attempt: Attempt) -> None:
    log = "1%\r2%\r3%\n" * 3 + "bar\rMemoryError\r\ncable 1 is loose\n"
    _, found = explained(request_, attempt, log)
    assert [(f.id, f.line, f.text) for f in found] == [
        ("loose_cable", 5, "cable 1 is loose"),
        ("host_out_of_memory", 4, "MemoryError"),
    ]


def test_lines_are_counted_from_the_beginning_of_a_long_log(request_: StepRequest, attempt: Attempt) -> None:
    _, found = explained(
        request_, attempt, b"x" * 99 + b"\n" + b"a line\xff\n" * 1_300_000 + b"cable 1 is loose"
    )
    assert [f.line for f in found] == [1_300_002]


def test_the_job_s_own_word_comes_first(request_: StepRequest, attempt: Attempt) -> None:
    told = {
        "code": "NMT215",
        "summary": "line 3 is odd",
        "file": "/x.jsonl",
        "line": 3,
        "fix": "make it even",
    }
    write_json(attempt.error, told)
    problem, _ = explained(request_, attempt, "ValueError: no", -signal.SIGKILL)
    assert (problem.code, problem.summary, problem.fix) == ("NMT215", "line 3 is odd", "make it even")
    assert problem.where is not None
    assert (problem.where.file, problem.where.line) == ("/x.jsonl", 3)


@pytest.mark.parametrize(
    ("exit_code", "log"),
    [
        (-signal.SIGKILL, ""),
        (128 + signal.SIGKILL, ""),
        (1, "traceback : Signal 9 (SIGKILL) received by PID 3"),
        (1, "  exitcode  : -9 (pid: 7)"),
    ],
)
@pytest.mark.parametrize(("memory_kills", "because"), [(0, "most often"), (1, "the kernel reports")])
def test_a_job_that_was_killed_says_so_also_through_torchrun(
    request_: StepRequest, attempt: Attempt, exit_code: int, log: str, memory_kills: int, because: str
) -> None:
    problem, _ = explained(request_, attempt, log, exit_code, memory_kills)
    assert problem.code == "NMT501"
    assert because in problem.summary
    assert problem.where is not None
    assert problem.where.file == str(attempt.log)


@pytest.mark.parametrize(
    ("exit_code", "words"), [(7, "exit code 7"), (-signal.SIGSEGV, "signal 11"), (1, "exit code 1")]
)
def test_any_other_end_names_its_code_and_its_last_error(
    request_: StepRequest, attempt: Attempt, exit_code: int, words: str
) -> None:
    log = "KeyError: 'a'\n[rank0]: ValueError: the cause\nno Error: x\ntorch.ChildFailedError: launcher\n"
    problem, _ = explained(request_, attempt, log, exit_code)
    assert problem.code == "NMT801"
    assert words in problem.summary
    assert problem.detail == "[rank0]: ValueError: the cause"


def test_success_without_a_word_is_a_failure(request_: StepRequest, attempt: Attempt) -> None:
    assert explained(request_, attempt, "all well", 0)[0].code == "NMT802"


def test_a_job_that_left_no_log_is_explained_too(request_: StepRequest, attempt: Attempt) -> None:
    problem, found = explain(request_, attempt, 1, memory_kills=0)
    assert (problem.code, problem.detail, found) == ("NMT801", "", [])
