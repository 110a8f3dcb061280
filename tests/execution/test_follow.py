"""Following a job: whole lines, once each, and nothing that cannot be read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from catalogs.helpers import Recorder

from nemotron.execution.follow import Follower
from nemotron.execution.store import Attempt


@pytest.fixture
def attempt(tmp_path: Path) -> Attempt:
    return Attempt(tmp_path)


def append(file: Path, content: bytes) -> None:
    with open(file, "ab") as stream:
        stream.write(content)


def test_lines_are_told_once_and_only_when_they_are_whole(attempt: Attempt) -> None:
    events = Recorder()
    follower = Follower(attempt, events)
    for part in (b"one\ntw", b"o\nth", b"ree"):
        append(attempt.log, part)
        follower.read()
    assert events.lines == ["one", "two"]
    follower.finish()
    follower.finish()
    assert events.lines == ["one", "two", "three"]


def test_nothing_is_told_before_the_files_are_there(attempt: Attempt) -> None:
    events = Recorder()
    Follower(attempt, events).read()
    assert (events.lines, events.steps) == ([], [])


def test_of_a_progress_bar_the_last_drawing_is_kept(attempt: Attempt) -> None:
    append(attempt.log, b"10%\r 50%\r100%\n\rdone\r\n")
    events = Recorder()
    Follower(attempt, events).finish()
    assert events.lines == ["100%", "done"]


def test_bytes_that_are_no_text_do_not_stop_it(attempt: Attempt) -> None:
    append(attempt.log, b"\xff\xfe\n\x00\nfine\n")
    events = Recorder()
    Follower(attempt, events).finish()
    assert events.lines[-1] == "fine"
    assert len(events.lines) == 3


def test_a_character_that_is_written_in_two_parts_is_read_whole(attempt: Attempt) -> None:
    events = Recorder()
    follower = Follower(attempt, events)
    for part in ("ß".encode()[:1], "ß".encode()[1:] + b"\n"):
        append(attempt.log, part)
        follower.read()
    assert events.lines == ["ß"]


def test_progress_lines_that_are_no_objects_are_passed_over(attempt: Attempt) -> None:
    lines = ["{", "[1]", "3", "", json.dumps({"step": 1, "total": 2}), '{"step": 2, "to']
    append(attempt.progress, "\n".join(lines).encode())
    events = Recorder()
    Follower(attempt, events).finish()
    assert events.steps == [{"step": 1, "total": 2}]
