"""Digests: what they depend on, what they do not, and the cache of slow ones."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import checkpoint, sha256, write

from nemotron.artifacts.digest import (
    artifact_files,
    chat_template,
    chat_template_digest,
    content_digest,
    file_sha256,
    hash_of,
    model_digest,
    read_json_object,
    tokenizer_digest,
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own."""
    monkeypatch.setenv("NEMOTRON_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "digests.json"


def large(file: Path, fill: bytes = b"x") -> Path:
    """A file that is slow enough to hash for its digest to be remembered."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(fill * (1 << 16))
    return file


@given(st.binary(max_size=200))
def test_a_files_digest_is_that_of_its_bytes(content: bytes) -> None:
    from tempfile import NamedTemporaryFile

    with NamedTemporaryFile() as stream:
        stream.write(content)
        stream.flush()
        assert file_sha256(Path(stream.name)) == hashlib.sha256(content).hexdigest()


def test_a_large_files_digest_is_remembered(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = large(tmp_path / "weights")
    digest = file_sha256(file)
    assert digest in json.loads(cache.read_text(encoding="utf-8")).values()
    cache.write_text(cache.read_text(encoding="utf-8").replace(digest, "remembered"), encoding="utf-8")
    monkeypatch.setenv("NEMOTRON_CACHE", str(tmp_path / "other"))
    assert file_sha256(file) == digest
    monkeypatch.setenv("NEMOTRON_CACHE", str(cache.parent))
    assert file_sha256(file) == "remembered"


@pytest.mark.parametrize("change", ["content", "replaced", "mtime"])
def test_a_file_that_changed_is_hashed_again(tmp_path: Path, change: str) -> None:
    file = large(tmp_path / "weights")
    before = file_sha256(file)
    status = file.stat()
    match change:
        case "content":
            file.write_bytes(b"y" * (1 << 16))
            os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
        case "replaced":
            large(tmp_path / "other", b"y").replace(file)
            os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
        case "mtime":
            os.utime(file, ns=(1, 1))
    assert (file_sha256(file) == before) is (change == "mtime")


@pytest.mark.parametrize("broken", ["", "{", "[]", "5"])
def test_a_broken_cache_costs_only_time(tmp_path: Path, cache: Path, broken: str) -> None:
    write(cache, broken)
    file = large(tmp_path / "weights")
    assert file_sha256(file) == hashlib.sha256(file.read_bytes()).hexdigest()
    assert len(json.loads(cache.read_text(encoding="utf-8"))) == 1


def test_a_cache_that_cannot_be_written_costs_only_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEMOTRON_CACHE", str(write(tmp_path / "a-file", "")))
    file = large(tmp_path / "weights")
    assert file_sha256(file) == hashlib.sha256(file.read_bytes()).hexdigest()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(JSON, JSON)
def test_equal_values_and_only_those_have_equal_hashes(one: Any, other: Any) -> None:
    assert (hash_of(one) == hash_of(other)) is (
        json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    )


def test_the_order_of_keys_does_not_matter() -> None:
    assert hash_of({"a": 1, "b": 2}) == hash_of({"b": 2, "a": 1})


def test_an_artifacts_content_is_its_files_and_their_names(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    write(folder / "a", "1")
    write(folder / "sub" / "b", "2")
    digest = content_digest(folder)
    write(folder / "artifact.json", "{}")
    assert [p.name for p in artifact_files(folder)] == ["a", "b"]
    assert content_digest(folder) == digest
    (folder / "a").rename(folder / "c")
    assert content_digest(folder) != digest
    single = write(tmp_path / "x" / "a", "1")
    assert content_digest(single) == content_digest(write(tmp_path / "y" / "a", "1"))
    assert content_digest(single) != content_digest(write(tmp_path / "y" / "b", "1"))


def test_a_name_that_is_not_utf8_is_hashed(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / name).write_text("1", encoding="utf-8")
    assert content_digest(tmp_path / "folder") == content_digest(tmp_path / "folder")


def test_a_models_digest_is_that_of_its_weights(tmp_path: Path) -> None:
    one, other = checkpoint(tmp_path / "m"), checkpoint(tmp_path / "x" / "m", vocab_size=99, template=None)
    assert model_digest(one) == model_digest(other)
    (other / "model.safetensors").write_bytes(b"trained")
    assert model_digest(one) != model_digest(other)
    assert model_digest(tmp_path) is None


TOKENIZER = {"model": {"vocab": {"a": 0}}, "added_tokens": []}


def test_a_tokenizers_digest_leaves_out_what_loading_changes(tmp_path: Path) -> None:
    one = write(tmp_path / "one" / "tokenizer.json", json.dumps(TOKENIZER)).parent
    same = {"version": "2", **TOKENIZER, "truncation": {"max_length": 5}, "padding": None}
    other = write(tmp_path / "other" / "tokenizer.json", json.dumps(same, indent=2)).parent
    write(other / "tokenizer_config.json", '{"anything": 1}')
    assert tokenizer_digest(one) == tokenizer_digest(other)
    write(other / "tokenizer.json", json.dumps({**TOKENIZER, "model": {"vocab": {"b": 0}}}))
    assert tokenizer_digest(one) != tokenizer_digest(other)


def test_a_sentencepiece_tokenizer_counts_its_added_tokens(tmp_path: Path) -> None:
    folder = write(tmp_path / "sp" / "tokenizer.model", "bytes").parent
    before = tokenizer_digest(folder)
    write(folder / "added_tokens.json", '{"<x>": 5}')
    assert before is not None
    assert tokenizer_digest(folder) not in (None, before)


@pytest.mark.parametrize("text", ["", "{", "[1]", "\x00"])
def test_a_torn_tokenizer_has_no_digest(tmp_path: Path, text: str) -> None:
    assert tokenizer_digest(write(tmp_path / "t" / "tokenizer.json", text).parent) is None
    assert tokenizer_digest(tmp_path) is None


TEMPLATES = [
    ({"tokenizer_config.json": {"chat_template": "T"}}, "T"),
    (
        {
            "tokenizer_config.json": {
                "chat_template": [{"name": "x", "template": "X"}, {"name": "default", "template": "T"}]
            }
        },
        "T",
    ),
    ({"tokenizer_config.json": {"chat_template": [{"name": "x", "template": "X"}]}}, None),
    ({"tokenizer_config.json": {"chat_template": ["T", 5]}}, None),
    ({"tokenizer_config.json": {"chat_template": 5}}, None),
    ({"tokenizer_config.json": {}}, None),
    ({"tokenizer_config.json": []}, None),
    ({}, None),
]


@pytest.mark.parametrize(("files", "text"), TEMPLATES)
def test_the_chat_template_is_the_default_one(
    tmp_path: Path, files: dict[str, Any], text: str | None
) -> None:
    for name, content in files.items():
        write(tmp_path / name, json.dumps(content))
    assert chat_template(tmp_path) == text
    assert chat_template_digest(tmp_path) == (sha256(text) if text else None)


def test_a_template_in_its_own_file_comes_first_and_its_end_does_not_matter(tmp_path: Path) -> None:
    write(tmp_path / "tokenizer_config.json", '{"chat_template": "other"}')
    write(tmp_path / "chat_template.jinja", "T\n\n")
    assert chat_template_digest(tmp_path) == sha256("T")


@pytest.mark.parametrize("text", ["{", "[]", "5", "[" * 100_000])
def test_what_is_no_json_object_reads_as_empty(tmp_path: Path, text: str) -> None:
    assert read_json_object(write(tmp_path / "f.json", text)) == {}
    assert read_json_object(tmp_path / "absent.json") == {}
