"""references/HARDWARE.md: its GPUs are those of gpus.toml, and each row of machines is a plan's answer."""

from __future__ import annotations

import re
import shlex
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from at_hand import chain, plan
from small import chat, jsonl

from nemotron.checking.memory_rules import ROOM, kept_by
from nemotron.hardware.gpu_table import TABLE, gpu_kind, gpu_kinds
from nemotron.hardware.layout import Layout
from nemotron.hardware.layout_rules import violations
from nemotron.planning.parallel import layout_of, shape_for
from nemotron.planning.plan import Plan

PAGE = (Path(__file__).resolve().parents[2] / "references" / "HARDWARE.md").read_text(encoding="utf-8")
SIZES = {"TP": "tensor", "PP": "pipeline", "CP": "context", "EP": "expert", "ETP": "expert_tensor"}
TABLES = ("A LoRA adapter, from conversations", "All weights, from conversations", "Pretraining, from text")


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading, without its head, without backticks."""
    table = re.search(r"^\|.*\n\|[-|]+\|\n((?:\|.*\n?)+)", section(heading), re.MULTILINE)
    assert table is not None, heading
    return [
        [cell.strip().replace("`", "") for cell in line.strip("|").split("|")]
        for line in table.group(1).splitlines()
    ]


def section(heading: str) -> str:
    """What stands between a heading and the next."""
    return re.split(rf"^##+ {re.escape(heading)}\n", PAGE, flags=re.MULTILINE)[1].partition("\n#")[0]


@dataclass(frozen=True)
class Machine:
    """A row: a model, what is made of what on which machine, and what the page says about it."""

    model: str
    have: str
    want: str
    nodes: int
    gpus: int
    kind: str
    step: str
    config: str
    layout: str
    gib: int
    add: str

    @classmethod
    def of(cls, heading: str, cells: list[str]) -> Machine:
        name, machine, step, config, layout, gib = cells
        *counts, kind = machine.split(" × ")
        nodes, per_node = (1, int(counts[0])) if len(counts) == 1 else (int(counts[0]), int(counts[1]))
        model, _, mark = name.partition(" ")
        first = " ".join(section(heading).strip().partition("\n\n")[0].split())
        have, *wants = re.findall(r"--(?:have|want) ([^\s`]+)", first)
        want = wants[-1] if f"of `{step}`, `--want" in first else wants[0]
        add = re.search(rf"^{mark} with `(.+)`$", PAGE, re.MULTILINE) if mark else None
        gpus = nodes * per_node
        added = add[1] if add else ""
        return cls(model, have, want, nodes, gpus, kind, step, config, layout, int(gib), added)

    def plan(self) -> Plan:
        wish: dict[str, Any] = {"model": self.model, "gpus": self.gpus, "nodes": self.nodes, "gpu": self.kind}
        words = shlex.split(self.add)
        for option, value in zip(words[::2], words[1::2], strict=True):
            if option == "--set":
                key, number = value.split("=")
                step, _, path = key.partition(".")
                wish.setdefault("settings", {}).setdefault(step, {})[path] = int(number)
            else:
                wish[option.removeprefix("--")] = value
        return plan(self.want, self.have, **wish)


MACHINES = [Machine.of(heading, cells) for heading in TABLES for cells in rows(heading)]


def written(layout: Layout) -> str:
    """A layout as the page writes it."""
    sizes = [f"{short} {getattr(layout, name)}" for short, name in SIZES.items() if stands_out(layout, name)]
    return " · ".join([*sizes, *(["SP"] if layout.sequence_parallel else []), f"DP {layout.data_parallel}"])


def stands_out(layout: Layout, name: str) -> bool:
    """Whether a size is named: not where it is 1; that of experts where it is not as tensor parallel."""
    value = getattr(layout, name)
    return value not in (None, layout.tensor) if name == "expert_tensor" else value != 1


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NEMOTRON_STEPS_PATH", raising=False)
    chat(tmp_path / "chat.jsonl")
    jsonl(tmp_path / "text.jsonl", {"text": "Once."})
    return tmp_path


def test_the_gpus_are_those_of_the_table() -> None:
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))["gpus"]
    columns = ("memory_gib", "per_node", "link", "link_gb_per_s")
    assert rows("GPUs") == [[name, *(str(kind[key]) for key in columns)] for name, kind in table.items()]
    assert gpu_kinds().keys() == table.keys()


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize("machine", MACHINES, ids=lambda m: f"{m.model} {m.want} {m.gpus} {m.kind}")
def test_a_plan_answers_what_the_page_says(machine: Machine) -> None:
    made = machine.plan()
    assert made.problems == made.questions == []
    assert machine.step in chain(made)
    node = next(node for node in made.nodes if node.step == machine.step)
    assert made.draft.configs[node.name] == machine.config
    request = made.draft.requests[node.name]
    layout, shape = layout_of(request), shape_for(request)
    parallelism = request.step.manifest.parallelism
    assert layout is not None
    assert shape is not None
    assert parallelism is not None
    assert layout.world == machine.gpus
    assert written(layout) == machine.layout
    assert violations(parallelism.rules, layout, shape) == []
    takes = kept_by(request)
    assert takes is not None
    assert round(takes) == machine.gib
    assert takes <= ROOM * gpu_kind(machine.kind).memory_gib


def test_machines_of_every_size_are_shown() -> None:
    steps = {machine.step for machine in MACHINES}
    trainers = {
        f"{kind}/{library}"
        for kind in ("sft", "peft", "pretrain")
        for library in ("automodel", "megatron_bridge")
    }
    assert steps == trainers
    assert {1, 8} <= {machine.gpus for machine in MACHINES}
    assert max(machine.nodes for machine in MACHINES) >= 4
