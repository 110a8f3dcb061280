"""Packs of context: those that steps name, found beside the catalog, and those that are not there."""

from __future__ import annotations

from pathlib import Path

from small import SmallCatalog, failures, small, write

from nemotron.catalog.packs import Pack, packs_of, reading_of

__all__ = ["small"]
ADVICE = '[[strategies]]\nwhen = "Always."\nthen = "Read."\ncontext = "{name}"\n'
INDEX = """
    [packs.packing]
    topic = "packing of data"
    file = "packing.md"
    steps = ["a/one"]

    [packs.lost]
    topic = "what was lost"
    file = "lost.md"
    steps = ["a/two"]
"""


def folder(small: SmallCatalog) -> Path:
    return small.root.parent / "references" / "context"


def packs(small: SmallCatalog, *identities: str) -> list[Pack]:
    catalog = small.catalog()
    return packs_of([catalog.step(identity) for identity in identities], catalog.roots)


def test_a_pack_lies_beside_the_catalog(small: SmallCatalog) -> None:
    small.step("a/one", ADVICE.format(name="packing") + ADVICE.format(name="packing"), default="k: 1\n")
    write(folder(small) / "index.toml", INDEX)
    page = write(folder(small) / "packing.md", "# Packing\n")
    assert packs(small, "a/one") == [Pack("packing", "packing of data", page)]


def test_packs_that_are_not_there_have_no_page(small: SmallCatalog) -> None:
    for name, context in (("one", "packing"), ("two", "lost"), ("three", "never-written")):
        small.step(f"a/{name}", ADVICE.format(name=context), default="k: 1\n")
    write(folder(small) / "index.toml", INDEX)
    page = write(folder(small) / "packing.md", "# Packing\n")
    assert packs(small, "a/two", "a/three", "a/one") == [
        Pack("lost", "what was lost", None),
        Pack("never-written", "never-written", None),
        Pack("packing", "packing of data", page),
    ]


def test_a_catalog_without_packs_and_a_step_without_one_are_fine(small: SmallCatalog) -> None:
    small.step("a/one", default="k: 1\n")
    assert packs(small, "a/one") == []


def test_a_mistake_in_the_index_has_its_place(small: SmallCatalog) -> None:
    small.step("a/one", ADVICE.format(name="packing"), default="k: 1\n")
    index = write(folder(small) / "index.toml", INDEX.replace("topic", "topics", 1))
    found = failures(lambda: packs(small, "a/one"))
    assert {problem.code for problem in found} == {"NMT102", "NMT103"}
    assert {problem.where.file for problem in found if problem.where} == {str(index)}


def test_what_to_read_are_the_pages_that_are_there_and_a_warning_for_the_others(small: SmallCatalog) -> None:
    for name, context in (("one", "packing"), ("two", "lost")):
        small.step(f"a/{name}", ADVICE.format(name=context), default="k: 1\n")
    write(folder(small) / "index.toml", INDEX)
    page = write(folder(small) / "packing.md", "# Packing\n")
    catalog = small.catalog()
    reading = reading_of([catalog.step("a/one"), catalog.step("a/two")], catalog.roots)
    assert reading.as_dict() == {
        "read": [str(page)],
        "warnings": ["WARNING: what was lost docs unavailable"],
    }
