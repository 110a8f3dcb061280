"""Where training data lies: files, folders and patterns, cut into chunks that a pool of processes can share.

Reads files and nothing else. Bad input is a JobError with the file: NMT213 (not there), NMT214 (empty),
NMT240 (a list of inputs that makes no sense), NMT243 (a file that cannot be read).
"""

from __future__ import annotations

import glob
import gzip
import os
import sys
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
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
    A gzip file ends at byte `end` of what it holds.
    """

    source: int
    file: int
    path: Path
    start: int
    end: int
    size: int


class Line(NamedTuple):
    """One line of a JSONL file: where it begins in the uncompressed file, its bytes, and how many bytes of
    its chunk are read by now."""

    position: int
    content: bytes
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


def first_lines(chunks: Iterable[Chunk], count: int) -> Iterator[Chunk]:
    """The chunks of JSONL that hold the first `count` lines of each source, the last of them cut short."""
    taken: Counter[int] = Counter()
    for chunk in chunks:
        read = taken[chunk.source]
        for line in read_lines(chunk) if read < count else ():
            if read == count:
                chunk = replace(chunk, end=line.position)
                break
            read += 1
        if read > taken[chunk.source]:
            yield chunk
        taken[chunk.source] = read


def read_lines(chunk: Chunk) -> Iterator[Line]:
    """The lines of a chunk of JSONL that are not blank."""
    yield from (_gzip_lines if file_format(chunk.path) == "gzip" else _plain_lines)(chunk)


def line_number(path: Path, position: int) -> int:
    """The number, from 1, of the line that begins at `position`."""
    number = 1
    with open(path, "rb") as raw:
        stream = gzip.GzipFile(fileobj=raw) if file_format(path) == "gzip" else raw
        while position > 0 and (block := stream.read(min(position, 1 << 20))):
            number += block.count(b"\n")
            position -= len(block)
    return number


def file_format(path: Path) -> str:
    """jsonl, gzip or parquet, by the ending of the name. JobError NMT243 for another."""
    endings = [ending for ending in FORMATS if path.name.endswith(ending)]
    if not endings:
        raise JobError(
            "NMT243", f"{path.name} is in no known format", file=path, fix=f"use {', '.join(sorted(FORMATS))}"
        )
    return FORMATS[max(endings, key=len)]


def open_parquet(path: Path) -> Any:
    import pyarrow
    import pyarrow.parquet

    try:
        return pyarrow.parquet.ParquetFile(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise JobError("NMT243", f"this is not a Parquet file: {error}", file=path) from error


def _source(entry: Any, number: int, count: int) -> Source:
    path, weight = (entry.get("path"), entry.get("weight")) if isinstance(entry, dict) else (entry, None)
    if not isinstance(path, str) or not path:
        raise JobError(
            "NMT240",
            f"input {number + 1} is neither a path nor a table with a path",
            fix="input_path=PATH, or a list of {path: PATH, weight: NUMBER}",
        )
    if weight is not None and not (isinstance(weight, int | float) and 0 < weight < float("inf")):
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
        file_format(file)
    if not (kept := [file for file in files if file.stat().st_size > 0]):
        raise JobError("NMT214", "the input is empty: it holds no documents", file=files[0])
    return kept


def _cuts(path: Path, chunk_bytes: int) -> Iterator[tuple[int, int, int]]:
    """Where a file is cut: (start, end, bytes on disk) of each chunk."""
    size, kind = path.stat().st_size, file_format(path)
    if kind == "jsonl":
        for start in range(0, size, chunk_bytes):
            end = min(start + chunk_bytes, size)
            yield start, end, end - start
    elif kind == "gzip":
        yield 0, sys.maxsize, size
    else:
        metadata = open_parquet(path).metadata
        groups, start, held = metadata.num_row_groups, 0, 0
        for group in range(groups):
            columns = metadata.row_group(group)
            held += sum(columns.column(c).total_compressed_size for c in range(columns.num_columns))
            if held >= chunk_bytes or group == groups - 1:
                yield start, group + 1, held
                start, held = group + 1, 0


def _plain_lines(chunk: Chunk) -> Iterator[Line]:
    """The lines that begin in the chunk: the last of them may end beyond it."""
    with open(chunk.path, "rb") as stream:
        if chunk.start:
            stream.seek(chunk.start - 1)
            stream.readline()
        position = stream.tell()
        while position < chunk.end:
            line = stream.readline()
            if not line.isspace():
                yield Line(position, line, min(position + len(line), chunk.end) - chunk.start)
            position += len(line)


def _gzip_lines(chunk: Chunk) -> Iterator[Line]:
    with open(chunk.path, "rb") as raw, gzip.open(raw) as stream:
        try:
            position = 0
            for line in stream:
                if position >= chunk.end:
                    break
                if not line.isspace():
                    yield Line(position, line, raw.tell())
                position += len(line)
        except (OSError, EOFError, zlib.error) as error:
            fix = "copy the file again; `gzip -t FILE` tells whether it is whole"
            raise JobError(
                "NMT243", f"the file cannot be decompressed: {error}", file=chunk.path, fix=fix
            ) from error
