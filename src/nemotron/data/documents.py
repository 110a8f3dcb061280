"""Text documents in JSONL (plain or gzip) and Parquet files.

Reads files and nothing else. A record without a usable text is a JobError NMT215 with the file and the line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from nemotron.backends.job import JobError
from nemotron.data.sources import Chunk, file_format, line_number, open_parquet, read_lines

PARQUET_ROWS = 1000  # rows decoded at a time
TEXT_FIELDS = ("text", "content", "raw_content", "document", "body")  # what they are usually called


class Document(NamedTuple):
    """A document's place within its file, its text, and how many bytes of its chunk are read by now."""

    position: int
    text: str
    bytes_read: int


def read_documents(chunk: Chunk, field: str) -> Iterator[Document]:
    """The documents of a chunk. A null text is an empty document; a missing field is a JobError."""
    if file_format(chunk.path) == "parquet":
        yield from _read_parquet(chunk, field)
        return
    for line in read_lines(chunk):
        text = _text(line.content, field, chunk.path, line.position)
        yield Document(line.position, text, line.bytes_read)


def _read_parquet(chunk: Chunk, field: str) -> Iterator[Document]:
    import pyarrow

    file = open_parquet(chunk.path)
    names = file.schema_arrow.names
    if field not in names:
        raise _no_field(chunk.path, None, field, names, "column")
    position = sum(file.metadata.row_group(g).num_rows for g in range(chunk.start))
    rows = sum(file.metadata.row_group(g).num_rows for g in range(chunk.start, chunk.end))
    first = position
    try:
        for batch in file.iter_batches(PARQUET_ROWS, range(chunk.start, chunk.end), columns=[field]):
            for text in batch.column(0).to_pylist():
                if text is not None and not isinstance(text, str):
                    raise _not_text(chunk.path, None, field, text)
                position += 1
                yield Document(position - 1, text or "", chunk.size * (position - first) // max(rows, 1))
    except pyarrow.ArrowException as error:
        raise JobError("NMT243", f"the file cannot be read: {error}", file=chunk.path) from error


def _text(line: bytes, field: str, path: Path, position: int) -> str:
    """The text of one JSON line; `position` is where the line begins, in bytes of the uncompressed file."""
    try:
        record = json.loads(line)
    except ValueError as error:
        raise JobError(
            "NMT215",
            f"this line is not JSON: {error}",
            file=path,
            line=line_number(path, position),
            fix='one JSON object a line, such as {"text": "…"}',
        ) from error
    if not isinstance(record, dict) or field not in record:
        names = list(record) if isinstance(record, dict) else []
        raise _no_field(path, line_number(path, position), field, names, "field")
    text = record[field]
    if text is None:
        return ""
    if not isinstance(text, str):
        raise _not_text(path, line_number(path, position), field, text)
    return text


def _no_field(path: Path, line: int | None, field: str, names: list[str], what: str) -> JobError:
    there = f"it has {', '.join(names)}" if names else "it has none"
    return JobError(
        "NMT215", f"there is no {what} '{field}': {there}", file=path, line=line, fix=_other_field(names)
    )


def _not_text(path: Path, line: int | None, field: str, value: Any) -> JobError:
    kind = type(value).__name__
    return JobError(
        "NMT215", f"'{field}' holds a {kind}, not text", file=path, line=line, fix=_other_field([])
    )


def _other_field(names: list[str]) -> str:
    likely = [name for name in names if name.lower() in TEXT_FIELDS]
    return f"text_field={likely[0] if likely else 'NAME of the field with the text'}"
