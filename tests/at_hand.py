"""What plans start from: small files of every kind, and plans over the shipped steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from small import chat, checkpoint, jsonl

from nemotron.catalog.catalog import Catalog, default_catalog
from nemotron.hardware.gpu_table import gpu_kind
from nemotron.planning.have import parse_have
from nemotron.planning.plan import Plan, PlanWish, make_plan
from nemotron.planning.unify import Derived

CATALOG: Catalog = default_catalog()


def parquet(file: Path, *columns: str) -> Path:
    """What counts of a Parquet file: the marks at both ends and a footer that names the columns."""
    footer = b"\x15\x02" + b"".join(bytes([0x18, len(name)]) + name.encode() for name in columns)
    file.write_bytes(b"PAR1" + b"data" + footer + len(footer).to_bytes(4, "little") + b"PAR1")
    return file


def adapter(folder: Path, base: Path) -> Path:
    """A LoRA adapter in PEFT's layout."""
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(base)}))
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    return folder


@pytest.fixture
def at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with data and models of every kind."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NEMOTRON_STEPS_PATH", raising=False)
    chat(tmp_path / "chat.jsonl")
    jsonl(tmp_path / "web.jsonl", {"text": "Once."})
    jsonl(tmp_path / "pairs.jsonl", {"prompt": "p", "chosen": "a", "rejected": "b"})
    base = checkpoint(tmp_path / "base", max_position_embeddings=1 << 15)
    for name in ("student", "teacher", "tuned"):
        checkpoint(tmp_path / name, max_position_embeddings=1 << 15)
    adapter(tmp_path / "adapter", base)
    parquet(tmp_path / "questions.parquet", "question", "choices")
    return tmp_path


def plan(want: str, *haves: str, gpu: str | None = None, **wish: Any) -> Plan:
    """The plan over the shipped catalog, from haves as the command line takes them."""
    known = [parse_have(text, CATALOG.types) for text in haves]
    return make_plan(PlanWish(want, known, gpu=gpu_kind(gpu) if gpu else None, **wish), CATALOG)


def chain(made: Plan) -> list[str]:
    """The ids of the plan's steps, in their order."""
    return [node.step for node in made.nodes]


def inputs(made: Plan, name: str) -> dict[str, str]:
    """What the ports of a step of the plan are bound to."""
    return {port: str(link) for port, link in made.draft.node(name).inputs.items()}


def resolved(made: Plan, name: str, key: str) -> Any:
    """The value of a key in the resolved config of a step of the plan."""
    return made.draft.requests[name].config.document.get(key)


def derived(made: Plan, name: str) -> dict[str, Derived]:
    """The keys that the planner set in a step's config."""
    return made.draft.derived.get(name, {})
