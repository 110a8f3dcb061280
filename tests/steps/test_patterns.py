"""The pages of steps/patterns: their form, and that the steps, codes, keys and commands they name exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from pages import catalog_keys, code_spans, keys_in, steps_in

from nemotron.catalog.catalog import Catalog
from nemotron.checking.check import check_step
from nemotron.checking.codes import all_codes
from nemotron.planning.resolve import Wish, resolve

STEPS = Path(__file__).resolve().parents[2] / "steps"
CATALOG = Catalog([STEPS])
PATTERNS = STEPS / "patterns"
PAGES = {page.stem: page for page in sorted(PATTERNS.glob("*.md")) if page.stem != "README"}
SECTIONS = ["Decision", "Why", "How to verify", "When it does not hold"]
# What a page's command is never told: that a name in it does not exist, or a value is of another kind.
MISSPELT = {"NMT200", "NMT201", "NMT202", "NMT204", "NMT205", "NMT220", "NMT221", "NMT223", "NMT224"}


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> str:
    return PAGES[request.param].read_text(encoding="utf-8")


def decision(text: str) -> str:
    """The sentence below the title."""
    return " ".join(text.split("\n\n")[1].split())


def commands(text: str) -> list[list[str]]:
    """The arguments of each `nemotron steps run` that names a step, without those three words."""
    spans = [shlex.split(span) for span in code_spans(text) if span.startswith("nemotron ")]
    runs = [words[3:] for words in spans if words[1:3] == ["steps", "run"]]
    return [words for words in runs if words[0] != "STEP"]


def wish(words: list[str]) -> Wish:
    """A command as the command line reads it."""
    step, *rest = words
    config, overrides, gpus, nodes = "default", [], None, None
    while rest:
        word = rest.pop(0)
        if word == "-c":
            config = rest.pop(0)
        elif word == "--gpus":
            gpus = int(rest.pop(0))
        elif word == "--nodes":
            nodes = int(rest.pop(0))
        elif not word.startswith("--"):
            overrides.append(word)
        else:
            assert word in {"--dry-run", "--strict"}
    return Wish(step, config, overrides, gpus, nodes)


ALL_RUNS = [(name, words) for name, page in PAGES.items() for words in commands(page.read_text("utf-8"))]


def test_there_are_pages() -> None:
    assert PAGES
    assert ALL_RUNS


def test_a_page_has_its_sections_in_order(page: str) -> None:
    assert re.findall(r"^# (.+)$", page, re.M)[:1] == [page.splitlines()[0].removeprefix("# ")]
    assert re.findall(r"^#{1,6} (.+)$", page, re.M)[1:] == SECTIONS
    bodies = re.split(r"^## .+$", page, flags=re.M)[1:]
    assert [body for body in bodies if not body.strip()] == []


def test_a_page_decides_in_one_sentence(page: str) -> None:
    sentence = decision(page)
    assert sentence.endswith(".")
    assert re.findall(r"[.!?] ", sentence) == []


def test_a_page_is_short(page: str) -> None:
    lines = page.splitlines()
    assert len(lines) <= 45
    assert [line for line in lines if len(line) > 115] == []


def test_the_readme_lists_every_page_once_with_its_decision() -> None:
    text = (PATTERNS / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^- \[(.+?)\]\((.+?)\.md\): (.+)$", text, re.M)
    assert [name for name, file, _ in listed if name != file] == []
    assert sorted(name for name, _, _ in listed) == sorted(PAGES)
    said = {name: sentence for name, _, sentence in listed}
    assert said == {name: decision(page.read_text(encoding="utf-8")) for name, page in PAGES.items()}


def test_steps_that_a_page_names_exist(page: str) -> None:
    named = steps_in(page)
    families = {identity.rpartition("/")[0] for identity in CATALOG.folders}
    assert named - set(CATALOG.folders) - families == set()


def test_codes_and_pages_that_a_page_names_exist(page: str) -> None:
    assert set(re.findall(r"NMT\w+", page)) - {entry.code for entry in all_codes()} == set()
    named = {span for span in code_spans(page) if re.fullmatch(r"[a-z]+(-[a-z]+){2,}", span)}
    assert named - set(PAGES) == set()


def test_keys_that_a_page_names_exist(page: str) -> None:
    assert keys_in(page) - catalog_keys() - {"counts.tokens"} == set()  # the one key of a summary.json


@pytest.mark.parametrize(("name", "words"), ALL_RUNS, ids=[f"{n}: {' '.join(w)}" for n, w in ALL_RUNS])
def test_a_pages_command_is_spelt_right(name: str, words: list[str], project: Path) -> None:
    found = check_step(resolve(wish(words), CATALOG))
    assert [str(problem) for problem in found if problem.code in MISSPELT] == []


def test_every_page_is_cited_by_a_manifest() -> None:
    manifests = [CATALOG.step(identity).manifest for identity in CATALOG.folders]
    cited = {entry.pattern for m in manifests for entry in (*m.strategies, *m.prefer)}
    assert set(PAGES) - cited == set()
