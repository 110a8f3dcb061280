"""The form of a pipeline file: every mistake with its line and column."""

from __future__ import annotations

from pathlib import Path

import pytest
from at_hand import CATALOG
from small import position, stands, write

from nemotron.config.yaml_places import read_yaml
from nemotron.diagnostic import Diagnostic
from nemotron.planning.pipeline_form import form_problems

WHOLE = """
    version: 1
    want: filtered_jsonl
    hardware: {gpu: h200, nodes: 1, gpus_per_node: 8}
    have:
      web: {type: raw_jsonl, path: web.jsonl}
    steps:
      curate: {step: curate/nemo_curator, inputs: {raw_jsonl: web}, gpus: 0}
"""


def problems(file: Path) -> list[Diagnostic]:
    return form_problems(read_yaml(file), CATALOG.types)


def test_a_whole_file_has_no_problem(tmp_path: Path) -> None:
    assert problems(write(tmp_path / "p.yaml", WHOLE)) == []


@pytest.mark.parametrize(
    ("before", "after", "code", "at", "fix"),
    [
        ("want:", "wants:", "NMT270", "wants:", "did you mean 'want'?"),
        ("gpu: h200", "kind: h200", "NMT270", "kind:", "known here: gpu, "),
        ("path: web", "pth: web", "NMT270", "pth:", "did you mean 'path'?"),
        ("inputs: {", "input: {", "NMT270", "input:", "did you mean 'inputs'?"),
        ("version: 1", "version: 2", "NMT270", "version:", "version: 1"),
        ("nodes: 1", "nodes: one", "NMT270", "nodes:", ""),
        ("gpus: 0", "gpus: many", "NMT270", "gpus: many", ""),
        ("gpus: 0", "gpus: true", "NMT270", "gpus: true", ""),
        ("gpus: 0", "profile: 3", "NMT270", "profile: 3", ""),
        ("inputs: {raw_jsonl: web}", "inputs: web", "NMT270", "inputs:", ""),
        ("step: curate/nemo_curator, ", "", "NMT270", "curate:", "add step: …"),
        ("type: raw_jsonl, ", "", "NMT270", "web:", "add type: …"),
        ("hardware: {gpu: h200, nodes: 1, gpus_per_node: 8}", "hardware: h200", "NMT270", "hardware:", ""),
        ("want: filtered_jsonl", "want: filterd_jsonl", "NMT105", "want:", "did you mean 'filtered_jsonl'?"),
        ("type: raw_jsonl", "type: row_jsonl", "NMT105", "type:", "did you mean 'raw_jsonl'?"),
        ("curate: {", "web: {", "NMT273", "web: {step", "rename one"),
        ("web: {", "we b: {", "NMT273", "we b:", "rename it"),
    ],
)
def test_a_mistake_is_reported_where_it_stands(
    tmp_path: Path, before: str, after: str, code: str, at: str, fix: str
) -> None:
    assert before in WHOLE
    file = write(tmp_path / "p.yaml", WHOLE.replace(before, after))
    (found,) = problems(file)
    assert found.code == code
    assert found.fix.startswith(fix)
    assert stands(found.where) == position(file, at)


def test_hardware_that_is_still_open_is_no_mistake_of_the_form(tmp_path: Path) -> None:
    text = WHOLE.replace("gpus_per_node: 8", 'gpus_per_node: "???"')
    assert problems(write(tmp_path / "p.yaml", text)) == []


@pytest.mark.parametrize(
    "text", ["", "version: 1\nsteps: []\n", "version: 1\nhave: x\n", "version: 1\nsteps: {a: 1}\n"]
)
def test_what_is_no_pipeline_is_reported(tmp_path: Path, text: str) -> None:
    assert {problem.code for problem in problems(write(tmp_path / "p.yaml", text))} == {"NMT270"}
