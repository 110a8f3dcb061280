"""Conversations in JSONL: the turns, the tools that may be called, and where each record stands.

Reads files and nothing else. A record that is no conversation is a JobError NMT215 with file and line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from nemotron.backends.job import JobError
from nemotron.data.sources import Chunk, line_number, read_lines

MESSAGES_FIELDS = (
    "messages",
    "conversation",
    "conversations",
    "chat",
    "turns",
)  # what they are usually called


class Fields(NamedTuple):
    """The fields of a record that hold the turns and the tools."""

    messages: str
    tools: str


class Conversation(NamedTuple):
    """A record: its place in the file, its turns and tools, how many bytes of its chunk are read by now."""

    position: int
    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] | None
    bytes_read: int

    def content(self) -> bytes:
        """What makes the conversation the one it is, in one way of writing it."""
        text = json.dumps([self.messages, self.tools], sort_keys=True, ensure_ascii=False)
        return text.encode("utf-8", "surrogatepass")


def read_conversations(chunk: Chunk, fields: Fields) -> Iterator[Conversation]:
    """The conversations of a chunk."""
    for line in read_lines(chunk):
        try:
            messages, tools = _parts(line.content, fields)
        except _Unusable as problem:
            raise JobError(
                "NMT215",
                str(problem),
                file=chunk.path,
                line=line_number(chunk.path, line.position),
                fix=problem.fix,
            ) from problem
        yield Conversation(line.position, messages, tools, line.bytes_read)


def place_of(chunk: Chunk, conversation: Conversation) -> tuple[Path, int]:
    """The file and the line of a conversation."""
    return chunk.path, line_number(chunk.path, conversation.position)


class _Unusable(Exception):
    def __init__(self, summary: str, fix: str) -> None:
        super().__init__(summary)
        self.fix = fix


def _parts(line: bytes, fields: Fields) -> tuple[list[dict[str, Any]], list[dict[str, Any]] | None]:
    try:
        record = json.loads(line)
    except ValueError as error:
        example = '{"messages": [{"role": "user", "content": "…"}, …]}'
        raise _Unusable(
            f"this line is not JSON: {error}", f"one JSON object a line, such as {example}"
        ) from error
    names = list(record) if isinstance(record, dict) else []
    if fields.messages not in names:
        there = f"it has {', '.join(names)}" if names else "it has none"
        likely = [name for name in names if name in MESSAGES_FIELDS]
        other = likely[0] if likely else "NAME of the field with the turns"
        raise _Unusable(f"there is no field '{fields.messages}': {there}", f"messages_field={other}")
    messages, tools = record[fields.messages], record.get(fields.tools)
    if not isinstance(messages, list) or not messages:
        kind = "an empty list" if messages == [] else f"a {type(messages).__name__}"
        raise _Unusable(f"'{fields.messages}' holds {kind}, not turns", "correct or remove that line")
    for number, message in enumerate(messages, 1):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            fix = 'each turn is an object such as {"role": "user", "content": "…"}'
            raise _Unusable(f"turn {number} of '{fields.messages}' has no role", fix)
    if tools is not None and not isinstance(tools, list):
        fix = "tools_field=NAME, or a list of function schemas in that field"
        raise _Unusable(f"'{fields.tools}' holds a {type(tools).__name__}, not a list of tools", fix)
    return messages, tools or None
