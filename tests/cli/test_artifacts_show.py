"""`nemotron artifacts show`: what an artifact is, who made it, and where it came from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from catalogs.helpers import Nemotron, write_chat
from catalogs.pipelines import Branches, run_branches


@pytest.fixture
def counts(branches: Branches) -> Path:
    """The counts at the end of the longer branch."""
    outcome = run_branches(branches).steps[2].outcome
    assert outcome is not None
    return outcome.made[0].path


def told_of(nemotron: Nemotron, path: Path) -> dict[str, object]:
    told: dict[str, object] = json.loads(nemotron("artifacts", "show", str(path), "--json").stdout)
    return told


def test_an_artifact_is_shown_with_its_chain_back_to_the_source(
    counts: Path, nemotron: Nemotron, project: Path
) -> None:
    ended = nemotron("artifacts", "show", str(counts))
    assert ended.returncode == 0
    lines = ended.stdout.splitlines()
    assert lines[0] == f"{counts.relative_to(project)}: eval_results"
    assert any(line.startswith("  files     1 file, ") for line in lines)
    assert "  fact      documents: 18" in lines
    assert any(line.startswith("  by        test/word_count (version 1), run ") for line in lines)
    chain = lines[lines.index("Made from:") + 1 :]
    assert [len(line) - len(line.lstrip()) for line in chain] == [2, 4, 6]
    assert ", training_jsonl by link/repeat, run " in chain[0]
    assert chain[2] == "      training_jsonl: chat.jsonl, training_jsonl (a source: no step made it)"


def test_as_json_the_chain_is_nested(counts: Path, nemotron: Nemotron, project: Path) -> None:
    told = told_of(nemotron, counts)
    assert (told["version"], told["type"], told["is_source"]) == (1, "eval_results", False)
    assert told["facts"] == {"documents": 18, "language": "en"}
    steps = []
    entry = told
    while not entry["is_source"]:
        steps.append(entry["producer"]["step"])  # type: ignore[index]
        (entry,) = entry["inputs"]  # type: ignore[misc]
    assert steps == ["test/word_count", "link/repeat", "link/repeat"]
    assert (entry["path"], entry["inputs"]) == (str(project / "chat.jsonl"), [])


def test_the_record_s_own_path_means_the_artifact(counts: Path, nemotron: Nemotron) -> None:
    told = told_of(nemotron, counts)
    assert told_of(nemotron, counts / "artifact.json") == told
    link = Path(told["inputs"][0]["path"])  # type: ignore[index]
    assert told_of(nemotron, link.with_name(f"{link.name}.artifact.json")) == told_of(nemotron, link)


def test_what_is_gone_or_changed_since_is_said(counts: Path, nemotron: Nemotron, project: Path) -> None:
    link = Path(told_of(nemotron, counts)["inputs"][0]["path"])  # type: ignore[index]
    (project / "chat.jsonl").unlink()
    write_chat(link, 1)
    shown = nemotron("artifacts", "show", str(counts)).stdout
    assert "(it has changed since)" in shown
    assert "(a source: no step made it; it is not there any more)" in shown
    (counts / "counts.json").unlink()
    assert "(files are missing, or have another size)" in nemotron("artifacts", "show", str(counts)).stdout


def test_services_and_names_on_a_hub_are_named_as_such(
    fake_steps: Path, nemotron: Nemotron, project: Path
) -> None:
    write_chat(project / "chat.jsonl", 3)
    asked = ("data=chat.jsonl", "judge=http://localhost:1/v1", "output=out")
    assert nemotron("steps", "run", "test/word_count", *asked).returncode == 0
    shown = nemotron("artifacts", "show", "out").stdout
    assert "  judge: http://localhost:1/v1, endpoint (a service, or a name on a hub)" in shown


def test_what_has_no_record_is_refused(counts: Path, nemotron: Nemotron, project: Path) -> None:
    ended = nemotron("artifacts", "show", "chat.jsonl")
    assert ended.returncode == 2
    assert "error[NMT811]" in ended.stderr
    assert "no step made it" in ended.stderr
    assert "did you mean 'chat.jsonl'?" in nemotron("artifacts", "show", "caht.jsonl").stderr
    assert f"one of those in it: {counts.name}" in nemotron("artifacts", "show", str(counts.parent)).stderr


def test_the_help_has_an_example(nemotron: Nemotron) -> None:
    ended = nemotron("artifacts", "show", "--help", env={"COLUMNS": "200"})
    assert "`nemotron artifacts show" in ended.stdout.split("Example")[1]
