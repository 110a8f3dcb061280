"""Documents: found in files, folders and patterns, cut into chunks without loss, bad lines located."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from nemotron.backends.job import JobError
from nemotron.data.documents import read_documents
from nemotron.data.sources import chunks_of, find_sources


def write_lines(file: Path, texts: list[str]) -> Path:
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    return file


def texts_of(file: Path | str, chunk_bytes: int = 1 << 20, field: str = "text") -> list[str]:
    return [
        document.text
        for chunk in chunks_of(find_sources(str(file)), chunk_bytes)
        for document in read_documents(chunk, field)
    ]


@pytest.mark.parametrize("chunk_bytes", [1, 7, 16, 40, 1000])
def test_every_document_is_in_exactly_one_chunk(tmp_path: Path, chunk_bytes: int) -> None:
    texts = [f"document {number} " + "x" * (number % 23) for number in range(60)]
    file = write_lines(tmp_path / "a.jsonl", texts)
    assert texts_of(file, chunk_bytes) == texts


def test_the_last_line_needs_no_line_end_and_blank_lines_do_not_count(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"text": "one"}\n\n  \n{"text": "two"}', encoding="utf-8")
    assert texts_of(file, 5) == ["one", "two"]


def test_gzip_reads_as_the_file_within(tmp_path: Path) -> None:
    plain = write_lines(tmp_path / "a.jsonl", ["one", "zwei", "три"])
    packed = tmp_path / "b.jsonl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert texts_of(packed) == ["one", "zwei", "три"]


def test_a_folder_gives_its_data_files_in_order_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    write_lines(tmp_path / "sub" / "a.jsonl", ["third"])
    write_lines(tmp_path / "b.jsonl", ["second"])
    write_lines(tmp_path / "a.jsonl", ["first"])
    (tmp_path / "artifact.json").write_text('{"version": 1}')
    (tmp_path / ".notes.jsonl").write_text("not data")
    assert texts_of(tmp_path) == ["first", "second", "third"]


def test_a_pattern_gives_what_it_matches(tmp_path: Path) -> None:
    for name in ("part-2.jsonl", "part-1.jsonl", "other.jsonl"):
        write_lines(tmp_path / name, [name])
    assert texts_of(f"{tmp_path}/part-*.jsonl") == ["part-1.jsonl", "part-2.jsonl"]


def test_weighted_inputs_stay_apart(tmp_path: Path) -> None:
    first, second = write_lines(tmp_path / "a.jsonl", ["a"]), write_lines(tmp_path / "b.jsonl", ["b"])
    sources = find_sources([{"path": str(first), "weight": 3}, {"path": str(second), "weight": 1}])
    assert [(source.name, source.weight) for source in sources] == [("00-a", 3.0), ("01-b", 1.0)]


def test_null_text_is_an_empty_document(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"text": null}\n', encoding="utf-8")
    assert texts_of(file) == [""]


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("{'text': 1}", "NMT215", "not JSON"),
        ("[1, 2]", "NMT215", "there is no field 'text'"),
        ('{"content": "x", "id": 3}', "NMT215", "it has content, id"),
        ('{"text": ["x"]}', "NMT215", "holds a list, not text"),
        (b'{"text": "\xff\xfe"}', "NMT215", "not JSON"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_bad_line_is_named_by_its_number(
    tmp_path: Path, line: str | bytes, code: str, says: str, packed: bool
) -> None:
    bad = line.encode() if isinstance(line, str) else line
    content = b'{"text": "fine"}\n' * 20 + b"\n" + bad + b"\n" + b'{"text": "fine"}\n' * 5
    file = tmp_path / ("a.jsonl.gz" if packed else "a.jsonl")
    file.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(JobError) as caught:
        texts_of(file, 64)
    assert (caught.value.code, caught.value.file, caught.value.line) == (code, str(file), 22)
    assert says in caught.value.summary


def test_the_fix_names_the_field_that_looks_like_text(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"id": 1, "content": "x"}\n')
    with pytest.raises(JobError) as caught:
        texts_of(file)
    assert caught.value.fix == "text_field=content"


def test_a_damaged_gzip_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl.gz"
    file.write_bytes(gzip.compress(b'{"text": "x"}\n' * 1000)[:-30])
    with pytest.raises(JobError) as caught:
        texts_of(file)
    assert (caught.value.code, caught.value.file) == ("NMT243", str(file))


@pytest.mark.parametrize(
    ("inputs", "code"),
    [
        ("nothing-here", "NMT213"),
        ("*.jsonl", "NMT213"),
        ("empty.jsonl", "NMT214"),
        ("notes.docx", "NMT243"),
        ([], "NMT240"),
        ([{"weight": 1}], "NMT240"),
        ([{"path": "full.jsonl", "weight": 0}], "NMT240"),
        ([{"path": "full.jsonl", "weight": 2}, "full.jsonl"], "NMT240"),
    ],
)
def test_unusable_inputs_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inputs: object, code: str
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    for name in ("empty.jsonl", "notes.docx"):
        (tmp_path / name).write_text("x" if name.endswith("docx") else "")
    write_lines(tmp_path / "full.jsonl", ["x"])
    monkeypatch.chdir(here if inputs == "*.jsonl" else tmp_path)
    with pytest.raises(JobError) as caught:
        find_sources(inputs)
    assert caught.value.code == code
