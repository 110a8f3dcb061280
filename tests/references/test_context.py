"""The packs of references/context: their form, and that what they name exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pages import CATALOG, catalog_keys, code_spans, keys_in, known_words, steps_in

from nemotron.catalog.packs import PackIndex, packs_of
from nemotron.catalog.toml_model import read_toml
from nemotron.checking.codes import all_codes

FOLDER = Path(__file__).resolve().parents[2] / "references" / "context"
PACKS = read_toml(FOLDER / "index.toml", PackIndex).packs
SECTIONS = ["Consumes", "Pick it when", "Needs", "Rules", "Failure modes"]
# The section `run` of a config is read for every step.
OF_EVERY_CONFIG = {"run.gpus", "run.nodes", "run.env_vars", "run.container_image"}
# Steps that no training library is behind.
WITHOUT_PACK = {"env/env_toml"}


@pytest.fixture(params=PACKS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def page(name: str) -> str:
    return (FOLDER / PACKS[name].file).read_text(encoding="utf-8")


def test_the_index_lists_every_page() -> None:
    assert {pack.file for pack in PACKS.values()} == {file.name for file in FOLDER.glob("*.md")}


def test_every_step_names_its_packs_and_finds_them() -> None:
    for identity in CATALOG.folders:
        packs = packs_of([CATALOG.step(identity)], CATALOG.roots)
        assert {pack.name for pack in packs} == {
            name for name, pack in PACKS.items() if identity in pack.steps
        }
        assert all(pack.page for pack in packs)
        assert bool(packs) == (identity not in WITHOUT_PACK)


def test_a_pack_has_its_sections_and_is_short(page: str) -> None:
    assert page.startswith("# ")
    assert re.findall(r"^## (.+)$", page, re.M) == SECTIONS
    bodies = re.split(r"^## .+$", page, flags=re.M)
    assert [body for body in bodies if not body.strip()] == []
    assert len(page.splitlines()) <= 60
    assert [line for line in page.splitlines() if len(line) > 120] == []


def test_a_pack_speaks_of_its_steps_and_what_they_consume(name: str, page: str) -> None:
    steps = [CATALOG.step(identity).manifest for identity in PACKS[name].steps]
    spans = set(code_spans(page))
    if name != "parallelism":
        assert {manifest.step.id for manifest in steps} - steps_in(page) == set()
        assert {port.type for manifest in steps for port in manifest.consumes} - spans == set()
        own = {error.id for manifest in steps for error in manifest.errors}
        assert spans & own
        assert spans & {e.id for i in CATALOG.folders for e in CATALOG.step(i).manifest.errors} - own == set()
    assert steps_in(page) - set(CATALOG.folders) == set()


def test_what_a_pack_names_exists(page: str) -> None:
    parameters = {p.key for identity in CATALOG.folders for p in CATALOG.step(identity).manifest.parameters}
    assert keys_in(page) - catalog_keys() - parameters - OF_EVERY_CONFIG == set()
    assert set(re.findall(r"NMT\d+", page)) - {entry.code for entry in all_codes()} == set()
    spans = [span.partition("=")[0] for span in code_spans(page)]
    words = {span for span in spans if re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)+", span)}
    assert words - known_words() == set()
