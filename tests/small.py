"""A small catalog made on the spot, requests on it, and the files that its steps take."""

from __future__ import annotations

import hashlib
import json
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from nemotron.artifacts.record import FactValue, Producer, describe, write_record
from nemotron.catalog.catalog import Catalog
from nemotron.checking.check import check_step
from nemotron.diagnostic import Diagnostic, Failure, Place
from nemotron.planning.request import StepRequest
from nemotron.planning.resolve import Wish, resolve

# The same examples in every run, however slow the machine is.
settings.register_profile("nemotron", max_examples=60, deadline=None, derandomize=True)
settings.load_profile("nemotron")

TYPES = """
    [facts]
    tokenizer = { kind = "tokenizer", description = "Digest of a tokenizer." }
    chat_template = { kind = "chat_template", description = "Digest of a chat template." }
    model = { kind = "model", description = "Digest of weights." }
    base_model = { kind = "model", description = "Digest of the weights below an adapter." }
    pack_size = { kind = "integer", description = "Tokens in a pack." }
    max_positions = { kind = "integer", description = "Tokens that positions reach." }
    pad_multiple = { kind = "integer", description = "Sequences are padded to a multiple of it." }
    record = { kind = "name", description = "What a record holds." }

    [types.raw_jsonl]
    description = "Text or conversations."
    facts = ["record"]
    record_keys = ["text", "messages"]

    [types.chat_jsonl]
    description = "Conversations."
    is_a = "raw_jsonl"
    record_keys = ["messages", "conversations"]

    [types.packs]
    description = "Packed sequences."
    facts = ["tokenizer", "pack_size", "pad_multiple"]

    [types.checkpoint_hf]
    description = "A model."
    facts = ["model", "tokenizer", "chat_template", "max_positions"]

    [types.checkpoint_lora]
    description = "An adapter."
    facts = ["base_model"]
    convert_to = { checkpoint_hf = "convert/merge" }

    [types.endpoint]
    description = "A service."
    on_disk = false

    [types.scores]
    description = "Scores."
"""
HEAD = """
    [step]
    id = "{id}"
    version = 1
    name = "A step"
    summary = "It does something."
    description = "At length."
    {more}
"""
TEMPLATE = "{% for m in messages %}{{ m.content }}{% endfor %}"


def write(file: Path, text: str) -> Path:
    """Write dedented text, making the folders around it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
    return file


@dataclass
class SmallCatalog:
    """A catalog below `root` that steps are added to."""

    root: Path
    texts: dict[str, str] = field(default_factory=dict)

    def step(self, identity: str, manifest: str = "", *, head: str = "", **configs: str) -> Path:
        """Add a step: what follows `[step]` in its manifest, what is in `[step]` too, its configs by name."""
        folder = self.root / identity
        text = textwrap.dedent(HEAD.format(id=identity, more=head)) + textwrap.dedent(manifest)
        write(folder / "step.toml", text)
        write(folder / "step.py", "")
        for name, config in configs.items():
            write(folder / "config" / f"{name}.yaml", config)
        return folder

    def catalog(self, *further: Path) -> Catalog:
        return Catalog([self.root, *further])

    def request(
        self, step: str, *overrides: str, config: str = "default", gpus: int | None = None, nodes: int = 1
    ) -> StepRequest:
        return resolve(Wish(step, config, list(overrides), gpus, nodes), self.catalog())

    def check(self, step: str, *overrides: str, **wish: Any) -> list[Diagnostic]:
        return check_step(self.request(step, *overrides, **wish))


@pytest.fixture
def small(tmp_path: Path) -> SmallCatalog:
    """A catalog with types and no steps."""
    root = tmp_path / "steps"
    write(root / "types.toml", TYPES)
    return SmallCatalog(root)


def failures(call: Callable[[], Any]) -> list[Diagnostic]:
    """What a call that must fail reports."""
    with pytest.raises(Failure) as caught:
        call()
    return caught.value.diagnostics


def failure(call: Callable[[], Any]) -> Diagnostic:
    """The one problem that a call reports."""
    found = failures(call)
    assert len(found) == 1, [f"{d.code} {d.summary}" for d in found]
    return found[0]


def codes(diagnostics: Iterable[Diagnostic]) -> list[str]:
    return [d.code for d in diagnostics]


def the(diagnostics: Iterable[Diagnostic], code: str) -> Diagnostic:
    """The one diagnostic with a code."""
    found = list(diagnostics)
    chosen = [d for d in found if d.code == code]
    assert len(chosen) == 1, [f"{d.code} {d.summary}" for d in found]
    return chosen[0]


def position(file: Path, text: str, occurrence: int = 1) -> tuple[str, int, int]:
    """File, line and column of a piece of a file's text."""
    whole = file.read_text(encoding="utf-8")
    start = -1
    for _ in range(occurrence):
        start = whole.index(text, start + 1)
    return str(file), whole.count("\n", 0, start) + 1, start - (whole.rfind("\n", 0, start) + 1) + 1


def stands(place: Place | None) -> tuple[str | None, int | None, int | None]:
    """File, line and column of a place."""
    assert place is not None
    return place.file, place.line, place.column


def jsonl(file: Path, *records: Any) -> Path:
    """A JSONL file; a record that is a string is written as it is."""
    lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
    return write(file, "\n".join(lines) + "\n")


def chat(file: Path) -> Path:
    return jsonl(file, {"messages": [{"role": "user", "content": "hello"}]})


def checkpoint(folder: Path, *, template: str | None = TEMPLATE, **config: Any) -> Path:
    """A folder in the Hugging Face layout: as small as one can be."""
    write(folder / "config.json", json.dumps({"vocab_size": 16, "max_position_embeddings": 64, **config}))
    write(folder / "tokenizer.json", json.dumps({"model": {"vocab": {"a": 0}}, "version": "1.0"}))
    write(folder / "tokenizer_config.json", json.dumps({"chat_template": template} if template else {}))
    (folder / "model.safetensors").write_bytes(folder.name.encode())
    return folder


def record(artifact: Path, kind: str, port: str = "out", **facts: FactValue) -> Path:
    """Write the artifact.json of an artifact that some step made."""
    made_by = Producer(step="a/b", version=1, run="run", attempt="1", key="k")
    described = describe(artifact, kind=kind, port=port, facts=facts, producer=made_by, inputs=[])
    return write_record(artifact, described)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
