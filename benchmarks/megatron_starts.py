"""What the library and the checker say of the same layouts. Starts `megatron_direct.py` for groups."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import megatron_layouts
from gpu_host import Host
from gpu_pool import Task, run_all

from nemotron.hardware.layout import Layout
from nemotron.hardware.layout_rules import violations
from nemotron.hardware.shapes import from_hf_config

SECONDS_A_GROUP = 300


def compare(host: Host) -> dict[str, list[dict[str, Any]]]:
    """Have the library try every layout that the GPUs hold; both verdicts, for the legal and the refused."""
    known = {"legal": megatron_layouts.legal(), "refused": megatron_layouts.refused()}
    tasks = []
    for kind, cases in known.items():
        for world in sorted({case["world"] for case in cases}):
            group = [case for case in cases if case["world"] == world]
            tasks.append(Task(f"{kind}-{world}", world, _try_all(host, f"{kind}-{world}", group)))
    for name, result in run_all(tasks, host.gpus).items():
        print(f"{name}: {'in time' if result == 0 else result}", flush=True)
    told = {line["name"]: line for file in host.work.glob("starts-*.jsonl") for line in _lines(file)}
    return {kind: [_verdicts(case, told) for case in cases] for kind, cases in known.items()}


def _try_all(host: Host, name: str, cases: list[dict[str, Any]]) -> Callable[[list[str]], int]:
    def run(devices: list[str]) -> int:
        for number, case in enumerate(cases):
            folder = host.work / "shapes" / f"{name}-{number}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "config.json").write_text(json.dumps(case["config"]), encoding="utf-8")
            case["hf_model"] = str(folder)
        listed, told, log = (host.work / f"starts-{name}.{suffix}" for suffix in ("json", "jsonl", "log"))
        told.unlink(missing_ok=True)
        listed.write_text(json.dumps(cases), encoding="utf-8")
        return host.torchrun(devices, log, "starts", str(listed), str(told), seconds=SECONDS_A_GROUP)

    return run


def _verdicts(case: dict[str, Any], told: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What the checker and the library say of one layout; the library nothing where it did not come to it."""
    sizes = {"micro_batch": 1, "global_batch": case["global_batch"], **case["layout"]}
    found = violations("megatron_core", Layout(world=case["world"], **sizes), from_hf_config(case["config"]))
    library = told.get(case["name"], {"refusal": "not tried", "seconds": None})
    return {
        "name": case["name"],
        "checker": [violation.code for violation in found],
        "library": library["refusal"] or "started",
        "seconds": library["seconds"],
    }


def _lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
