"""Digests: of files, of weights, of a tokenizer, of a chat template. Reads files and a cache of digests."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from nemotron.files import cache_folder, write_atomic

RECORD_NAME = "artifact.json"
_BLOCK = 1 << 20
# What a library writes at load time and what is not the tokenizer itself.
_NOT_TOKENIZER = ("truncation", "padding", "version")
_SENTENCEPIECE = ("tokenizer.model", "spiece.model", "sentencepiece.bpe.model")


def file_sha256(path: Path) -> str:
    """The sha256 of a file's bytes; remembered by path, size, mtime and inode, as hashing weights is slow."""
    return _DigestCache.shared().sha256(path)


def hash_of(value: Any) -> str:
    """The sha256 of the canonical JSON of a value."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    # The name of a file need not be UTF-8; Python holds its bytes as lone surrogates.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def artifact_files(path: Path) -> list[Path]:
    """The files of an artifact, sorted by name: the file itself, or all below the folder but its record."""
    if path.is_file():
        return [path]
    return sorted(p for p in path.rglob("*") if p.is_file() and p.name != RECORD_NAME)


def content_digest(path: Path) -> str:
    """The sha256 over (file name, sha256) of everything that an artifact holds."""
    base = path.parent if path.is_file() else path
    return hash_of([[p.relative_to(base).as_posix(), file_sha256(p)] for p in artifact_files(path)])


def model_digest(folder: Path) -> str | None:
    """The sha256 over (file name, sha256) of the safetensors files; None where there is none."""
    files = sorted(folder.glob("*.safetensors"))
    return hash_of([[p.name, file_sha256(p)] for p in files]) if files else None


def tokenizer_digest(folder: Path) -> str | None:
    """The digest of a tokenizer's vocabulary and rules; None where there is no tokenizer that can be read.

    `tokenizer_config.json` is not in it: transformers 5 rewrites that file.
    """
    if (file := folder / "tokenizer.json").is_file():
        content = read_json_object(file)
        return hash_of({k: v for k, v in content.items() if k not in _NOT_TOKENIZER}) if content else None
    for name in _SENTENCEPIECE:
        if (file := folder / name).is_file():
            added = folder / "added_tokens.json"
            return hash_of([file_sha256(file), file_sha256(added) if added.is_file() else None])
    return None


def chat_template_digest(folder: Path) -> str | None:
    """The digest of the folder's default chat template; None where there is none."""
    text = chat_template(folder)
    return hashlib.sha256(text.rstrip().encode()).hexdigest() if text else None


def chat_template(folder: Path) -> str | None:
    """The text of the default chat template: its own file, else the entry in `tokenizer_config.json`."""
    if (file := folder / "chat_template.jinja").is_file():
        return file.read_text(encoding="utf-8", errors="replace")
    template = read_json_object(folder / "tokenizer_config.json").get("chat_template")
    if isinstance(template, list):
        named = [t for t in template if isinstance(t, dict) and t.get("name") == "default"]
        template = named[0].get("template") if named else None
    return template if isinstance(template, str) else None


def read_json_object(file: Path) -> dict[str, Any]:
    """A JSON file that holds an object; empty where it is not there or holds something else."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


class _DigestCache:
    """sha256 by (path, size, mtime, inode), kept in the user's cache folder."""

    _instance: _DigestCache | None = None
    _SMALL = 1 << 16

    def __init__(self, file: Path) -> None:
        self.file = file
        self.known = read_json_object(file)

    @classmethod
    def shared(cls) -> _DigestCache:
        file = cache_folder() / "digests.json"
        if cls._instance is None or cls._instance.file != file:
            cls._instance = cls(file)
        return cls._instance

    def sha256(self, path: Path) -> str:
        status = path.stat()
        name = f"{path.resolve()}|{status.st_size}|{status.st_mtime_ns}|{status.st_ino}"
        if name not in self.known:
            digest = _hash_file(path)
            if status.st_size < self._SMALL:
                return digest
            self.known[name] = digest
            self._save()
        return str(self.known[name])

    def _save(self) -> None:
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(self.file, json.dumps(self.known))
        except OSError:
            pass  # a cache that cannot be written costs time, not correctness


def _hash_file(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
