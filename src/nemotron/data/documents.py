"""Text documents in JSONL (plain or gzip) and Parquet files, in chunks that a pool of processes can share.

Reads files and nothing else. Bad input is a JobError with the file and the line: NMT213 (not there),
NMT214 (empty), NMT215 (a line that is no usable record), NMT240 (a list of inputs that makes no sense),
NMT243 (a file that cannot be read).
"""

from __future__ import annotations

import glob
import gzip
import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from nemotron.backends.job import JobError

FORMATS = {
    ".jsonl": "jsonl",
    ".json": "jsonl",
    ".jsonl.gz": "gzip",
    ".json.gz": "gzip",
    ".parquet": "parquet",
}
# Of a folder, only what is surely data: `.json` is what summaries and records of artifacts are called.
IN_FOLDERS = (".jsonl", ".jsonl.gz", ".parquet")
PARQUET_ROWS = 1000  # rows decoded at a time
TEXT_FIELDS = ("text", "content", "raw_content", "document", "body")  # what they are usually called


@dataclass(frozen=True)
class Source:
    """One input of a blend: its files in a fixed order. `weight` is None when the user gave none."""

    name: str
    files: tuple[Path, ...]
    weight: float | None


@dataclass(frozen=True)
class Chunk:
    """A part of one file: bytes `start` to `end` of JSONL, row groups of Parquet, the whole of a gzip file.

    `source` and `file` are positions in the list of sources and in its files; `size` is in bytes on disk.
    """

    source: int
    file: int
    path: Path
    start: int
    end: int
    size: int


class Document(NamedTuple):
    """A document's place within its file, its text, and how many bytes of its chunk are read by now."""

    position: int
    text: str
    bytes_read: int


def find_sources(inputs: Any) -> list[Source]:
    """The inputs as sources. `inputs` is a path (file, folder or pattern), or a list of paths or of tables
    with `path` and `weight`. A list of one is the same as its only entry."""
    entries = inputs if isinstance(inputs, list) else [inputs]
    sources = [_source(entry, number, len(entries)) for number, entry in enumerate(entries)]
    if not sources:
        raise JobError("NMT240", "there is no input: input_path is an empty list", fix="input_path=PATH")
    if 0 < sum(source.weight is None for source in sources) < len(sources):
        raise JobError(
            "NMT240", "some inputs have a weight and others have none", fix="weigh all of them, or none"
        )
    return sources


def chunks_of(sources: list[Source], chunk_bytes: int) -> Iterator[Chunk]:
    """All chunks of all sources, in order, each of about `chunk_bytes` where the format can be cut."""
    for number, source in enumerate(sources):
        for index, path in enumerate(source.files):
            for start, end, size in _cuts(path, chunk_bytes):
                yield Chunk(number, index, path, start, end, size)


def read_documents(chunk: Chunk, field: str) -> Iterator[Document]:
    """The documents of a chunk. A null text is an empty document; a missing field is a JobError."""
    reader = {"jsonl": _read_jsonl, "gzip": _read_gzip, "parquet": _read_parquet}[_format(chunk.path)]
    yield from reader(chunk, field)


def _source(entry: Any, number: int, count: int) -> Source:
    path, weight = (entry.get("path"), entry.get("weight")) if isinstance(entry, dict) else (entry, None)
    if not isinstance(path, str) or not path:
        raise JobError(
            "NMT240",
            f"input {number + 1} is neither a path nor a table with a path",
            fix="input_path=PATH, or a list of {path: PATH, weight: NUMBER}",
        )
    if weight is not None and not weight > 0:
        raise JobError("NMT240", f"the weight of {path} is {weight}: a weight is above 0", fix="leave it out")
    name = f"{number:02d}-{Path(path.rstrip('*/')).name.split('.')[0] or 'input'}" if count > 1 else ""
    return Source(name, tuple(_files(path)), None if weight is None else float(weight))


def _files(path: str) -> list[Path]:
    """The non-empty files that a path, folder or pattern means."""
    if os.path.isdir(path):
        found = [p for p in Path(path).rglob("*") if p.name.endswith(IN_FOLDERS)]
        found = [p for p in found if not any(part.startswith(".") for part in p.relative_to(path).parts)]
    elif os.path.exists(path):
        found = [Path(path)]
    else:
        found = [Path(p) for p in glob.glob(path, recursive=True)]
    files = sorted(p for p in found if p.is_file())
    if not files:
        raise JobError("NMT213", f"{path} names no file", fix=f"name {', '.join(IN_FOLDERS)} files")
    for file in files:
        _format(file)
    if not (kept := [file for file in files if file.stat().st_size > 0]):
        raise JobError("NMT214", "the input is empty: it holds no documents", file=files[0])
    return kept


def _format(path: Path) -> str:
    endings = [ending for ending in FORMATS if path.name.endswith(ending)]
    if not endings:
        raise JobError(
            "NMT243", f"{path.name} is in no known format", file=path, fix=f"use {', '.join(sorted(FORMATS))}"
        )
    return FORMATS[max(endings, key=len)]


def _cuts(path: Path, chunk_bytes: int) -> Iterator[tuple[int, int, int]]:
    """Where a file is cut: (start, end, bytes on disk) of each chunk."""
    size, kind = path.stat().st_size, _format(path)
    if kind == "jsonl":
        for start in range(0, size, chunk_bytes):
            end = min(start + chunk_bytes, size)
            yield start, end, end - start
    elif kind == "gzip":
        yield 0, size, size
    else:
        metadata = _open_parquet(path).metadata
        groups, start, held = metadata.num_row_groups, 0, 0
        for group in range(groups):
            columns = metadata.row_group(group)
            held += sum(columns.column(c).total_compressed_size for c in range(columns.num_columns))
            if held >= chunk_bytes or group == groups - 1:
                yield start, group + 1, held
                start, held = group + 1, 0


def _read_jsonl(chunk: Chunk, field: str) -> Iterator[Document]:
    """The lines that begin in the chunk: the last of them may end beyond it."""
    with open(chunk.path, "rb") as stream:
        if chunk.start:
            stream.seek(chunk.start - 1)
            stream.readline()
        position = stream.tell()
        while position < chunk.end:
            line = stream.readline()
            if not line.isspace():
                text = _text(line, field, chunk.path, position)
                yield Document(position, text, min(position + len(line), chunk.end) - chunk.start)
            position += len(line)


def _read_gzip(chunk: Chunk, field: str) -> Iterator[Document]:
    with open(chunk.path, "rb") as raw, gzip.open(raw) as stream:
        try:
            position = 0
            for line in stream:
                if not line.isspace():
                    yield Document(position, _text(line, field, chunk.path, position), raw.tell())
                position += len(line)
        except (OSError, EOFError, zlib.error) as error:
            raise JobError("NMT243", f"the file cannot be decompressed: {error}", file=chunk.path) from error


def _read_parquet(chunk: Chunk, field: str) -> Iterator[Document]:
    import pyarrow

    file = _open_parquet(chunk.path)
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


def _open_parquet(path: Path) -> Any:
    import pyarrow
    import pyarrow.parquet

    try:
        return pyarrow.parquet.ParquetFile(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise JobError("NMT243", f"this is not a Parquet file: {error}", file=path) from error


def _text(line: bytes, field: str, path: Path, position: int) -> str:
    """The text of one JSON line; `position` is where the line begins, in bytes of the uncompressed file."""
    try:
        record = json.loads(line)
    except ValueError as error:
        raise JobError(
            "NMT215",
            f"this line is not JSON: {error}",
            file=path,
            line=_line_number(path, position),
            fix='one JSON object a line, such as {"text": "…"}',
        ) from error
    if not isinstance(record, dict) or field not in record:
        names = list(record) if isinstance(record, dict) else []
        raise _no_field(path, _line_number(path, position), field, names, "field")
    text = record[field]
    if text is None:
        return ""
    if not isinstance(text, str):
        raise _not_text(path, _line_number(path, position), field, text)
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


def _line_number(path: Path, position: int) -> int:
    """The number, from 1, of the line that begins at `position`."""
    number = 1
    with open(path, "rb") as raw:
        stream = gzip.GzipFile(fileobj=raw) if _format(path) == "gzip" else raw
        while position > 0 and (block := stream.read(min(position, 1 << 20))):
            number += block.count(b"\n")
            position -= len(block)
    return number
