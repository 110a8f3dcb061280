"""Generated files: written once, found when they are stale, the same each time."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from small import failure

from nemotron.catalog.catalog import default_catalog
from nemotron.reporting.references.build import checkout, generated, stale, write_all
from nemotron.reporting.references.commands_page import CommandHelp

REPOSITORY = Path(__file__).resolve().parents[3]
STEPS = ("sft/automodel", "data_prep/sft_packing")
COMMANDS = [CommandHelp("steps run", ("--gpus",), "Run one step.")]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A checkout of two steps, with everything built; `tmp_path` is its root."""
    root = tmp_path / "checkout"
    for name in STEPS:
        shutil.copytree(REPOSITORY / "steps" / name, root / "steps" / name)
    shutil.copytree(REPOSITORY / "steps" / "patterns", root / "steps" / "patterns")
    shutil.copy(REPOSITORY / "steps" / "types.toml", root / "steps")
    write_all(generated(root, COMMANDS))
    return root


def problems(root: Path) -> list[tuple[str, str, int | None]]:
    found = stale(root, generated(root, COMMANDS))
    return [(p.code, Path(p.where.file or "").name, p.where.line) for p in found if p.where is not None]


def test_what_was_built_is_up_to_date_and_is_not_written_again(copy: Path) -> None:
    files = generated(copy, COMMANDS)
    names = {file.relative_to(copy).as_posix() for file in files}
    assert {"references/CATALOG.md", "references/schemas/env.json"} < names
    assert f"steps/{STEPS[0]}/config/schema.json" in names
    assert (problems(copy), write_all(files), generated(copy, COMMANDS)) == ([], [], files)


def test_an_edited_page_is_stale_at_the_line_that_differs(copy: Path) -> None:
    page = copy / "references" / "PATTERNS.md"
    lines = page.read_text(encoding="utf-8").split("\n")
    page.write_text("\n".join([*lines[:6], "Added by hand.", *lines[6:]]), encoding="utf-8")
    assert problems(copy) == [("NMT130", "PATTERNS.md", 7)]
    assert write_all(generated(copy, COMMANDS)) == [page]
    assert problems(copy) == []


def test_a_changed_manifest_makes_every_page_stale_that_says_the_same(copy: Path) -> None:
    manifest = copy / "steps" / STEPS[1] / "step.toml"
    text = manifest.read_text(encoding="utf-8")
    manifest.write_text(text.replace('summary = "Render', 'summary = "Carefully render'), encoding="utf-8")
    assert [(code, name) for code, name, _ in problems(copy)] == [
        ("NMT130", "CATALOG.md"),
        ("NMT130", "schema.json"),
    ]


def test_a_missing_page_is_stale(copy: Path) -> None:
    (copy / "references" / "COMMANDS.md").unlink()
    assert problems(copy) == [("NMT130", "COMMANDS.md", None)]


def test_a_config_without_the_line_that_names_its_schema_is_found(copy: Path) -> None:
    (copy / "steps" / STEPS[0] / "config" / "mine.yaml").write_text("seed: 1\n", encoding="utf-8")
    assert ("NMT131", "mine.yaml", 1) in problems(copy)


def test_a_folder_without_a_catalog_is_no_checkout(tmp_path: Path) -> None:
    assert failure(lambda: checkout(tmp_path)).code == "NMT132"
    assert checkout(None) == default_catalog().roots[0].parent
