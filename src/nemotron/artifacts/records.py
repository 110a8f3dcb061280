"""Reading JSONL and JSON to find what a job would stumble over. Reads data files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

# How much of a data set is read before a launch: about a second of work. A job reads the rest itself.
SCAN_BYTES = 64 << 20


@dataclass(frozen=True)
class BadRecord:
    """A line that is no usable record: its number from 1, and what is wrong with it."""

    line: int
    reason: str
    column: int = 1


def bad_records(file: Path, keys: tuple[str, ...], *, limit: int = 5) -> list[BadRecord]:
    """The first `limit` bad lines in the first 64 MiB of a JSONL file.

    A record must be a JSON object and hold one of `keys` (any object will do when there are none).
    """
    found: list[BadRecord] = []
    for number, line in _lines(file):
        if (problem := _problem(line, keys)) is not None:
            found.append(BadRecord(number, *problem))
            if len(found) == limit:
                break
    return found


def bad_json(file: Path) -> BadRecord | None:
    """What is wrong with a file that should hold one JSON object; None when it does."""
    try:
        content = json.loads(file.read_bytes())
    except json.JSONDecodeError as problem:
        return BadRecord(problem.lineno, f"is not JSON ({problem.msg})", problem.colno)
    except UnicodeDecodeError:
        return BadRecord(1, "is not UTF-8 text")
    except (OSError, ValueError, RecursionError) as problem:
        return BadRecord(1, f"cannot be read ({problem})")
    return None if isinstance(content, dict) else BadRecord(1, "is not a JSON object")


def is_empty(file: Path) -> bool:
    """Whether a file holds nothing but white space in its first MiB."""
    with open(file, "rb") as stream:
        return not stream.read(1 << 20).strip()


def _lines(file: Path) -> Iterator[tuple[int, bytes]]:
    """The whole lines among the first SCAN_BYTES, without their ends; blank ones are left out."""
    left = SCAN_BYTES
    with open(file, "rb") as stream:
        for number in count(1):
            line = stream.readline(left + 1)
            left -= len(line)
            if not line or left < 0:
                return
            if line.strip():
                yield number, line.rstrip(b"\r\n")


def _problem(line: bytes, keys: tuple[str, ...]) -> tuple[str, int] | None:
    try:
        record = json.loads(line)
    except UnicodeDecodeError:
        return "is not UTF-8 text", 1
    except json.JSONDecodeError as problem:
        return f"is not JSON ({problem.msg})", problem.colno
    except (ValueError, RecursionError) as problem:
        return f"is not JSON that can be read ({problem})", 1
    if not isinstance(record, dict):
        return f"is a JSON {type(record).__name__}, not an object", 1
    if keys and not any(key in record for key in keys):
        wanted = " or ".join(f"'{key}'" for key in keys)
        has = ", ".join(f"'{key}'" for key in list(record)[:6]) or "nothing"
        return f"has no {wanted} (it has {has})", 1
    if "messages" in keys and "messages" in record and (reason := _bad_messages(record["messages"])):
        return reason, 1
    return None


def _bad_messages(messages: object) -> str | None:
    if not isinstance(messages, list) or not messages:
        return "has 'messages' that are not a list of turns"
    for turn in messages:
        if not isinstance(turn, dict) or not isinstance(turn.get("role"), str):
            return "has a turn without a 'role'"
    return None
