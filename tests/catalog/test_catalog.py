"""The catalog: finding steps below its roots, by id and by a part of one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from small import SmallCatalog, failure, failures, position, stands, write

from nemotron.catalog.catalog import Catalog, default_catalog, is_shipped

PORTS = """
    [[consumes]]
    name = "chat"
    type = "chat_jsonl"
    at = "data"

    [[produces]]
    type = "packs"
    at = "output"
"""


@pytest.fixture
def stocked(small: SmallCatalog) -> SmallCatalog:
    small.step("train/sft", PORTS, tiny="a: 1", default="a: 1", big="a: 1")
    small.step("train/lora")
    small.step("convert/hf/merge")
    return small


def test_every_folder_with_a_manifest_is_a_step(stocked: SmallCatalog) -> None:
    write(stocked.root / ".hidden" / "x" / "step.toml", "")
    write(stocked.root / "patterns" / "x" / "step.toml", "")
    write(stocked.root / "train" / "sft" / "nested" / "step.toml", "")
    found = stocked.catalog().folders
    assert list(found) == ["convert/hf/merge", "train/lora", "train/sft"]
    assert found["train/sft"] == stocked.root / "train" / "sft"


def test_a_link_that_leads_back_is_not_followed_for_ever(stocked: SmallCatalog) -> None:
    (stocked.root / "train" / "again").symlink_to(stocked.root, target_is_directory=True)
    assert len(stocked.catalog().folders) == 3


def test_a_step_may_be_a_link(stocked: SmallCatalog, tmp_path: Path) -> None:
    elsewhere = SmallCatalog(tmp_path / "elsewhere").step("train/linked")
    (stocked.root / "train" / "linked").symlink_to(elsewhere, target_is_directory=True)
    assert stocked.catalog().find("linked").folder == stocked.root / "train" / "linked"


def test_a_step_knows_its_files_and_ports(stocked: SmallCatalog) -> None:
    step = stocked.catalog().step("train/sft")
    assert (step.id, step.category) == ("train/sft", "train")
    assert step.config_names() == ["default", "big", "tiny"]
    assert step.program == stocked.root / "train" / "sft" / "step.py"
    assert (step.consumes("chat").at, step.produces("packs").at) == ("data", "output")


@pytest.mark.parametrize(
    ("name", "identity"),
    [
        ("train/sft", "train/sft"),
        ("/train/sft/", "train/sft"),
        ("sft", "train/sft"),
        ("hf/merge", "convert/hf/merge"),
        ("merge", "convert/hf/merge"),
        ("convert", "convert/hf/merge"),
    ],
)
def test_an_unambiguous_part_of_an_id_finds_the_step(stocked: SmallCatalog, name: str, identity: str) -> None:
    assert stocked.catalog().find(name).id == identity


@pytest.mark.parametrize(
    ("name", "code", "fix"),
    [
        ("train", "NMT111", "one of: train/lora, train/sft"),
        ("sfx", "NMT110", "did you mean train/sft?"),
        ("train/sfd", "NMT110", "did you mean train/sft or train/lora?"),
        ("merg", "NMT110", "did you mean convert/hf/merge?"),
        ("nothing-like-it", "NMT110", "`nemotron steps list` shows them all"),
        ("", "NMT110", "`nemotron steps list` shows them all"),
    ],
)
def test_a_name_that_finds_none_or_several_is_reported(
    stocked: SmallCatalog, name: str, code: str, fix: str
) -> None:
    found = failure(lambda: stocked.catalog().find(name))
    assert (found.code, found.fix) == (code, fix)
    assert f"'{name}'" in found.summary


def test_two_steps_of_one_id_are_reported_with_both_files(stocked: SmallCatalog, tmp_path: Path) -> None:
    other = SmallCatalog(tmp_path / "other")
    other.step("train/sft")
    found = failure(lambda: stocked.catalog(other.root).folders)
    assert (found.code, found.where.file if found.where else "") == (
        "NMT104",
        str(other.root / "train/sft/step.toml"),
    )
    assert [r.place.file for r in found.related] == [str(stocked.root / "train/sft/step.toml")]
    assert found.fix == "rename one of the two folders"


def test_a_step_without_a_category_is_reported(small: SmallCatalog) -> None:
    file = small.step("lonely") / "step.toml"
    found = failure(lambda: small.catalog().folders)
    assert (found.code, found.where.file if found.where else "") == ("NMT108", str(file))
    assert "CATEGORY/STEP" in found.summary


def test_an_id_that_is_not_the_folders_is_reported_at_the_id(small: SmallCatalog) -> None:
    file = small.step("train/one") / "step.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("train/one", "train/two"), encoding="utf-8")
    found = failure(lambda: small.catalog().find("one"))
    assert (found.code, stands(found.where)) == ("NMT108", position(file, "id"))
    assert found.fix == 'id = "train/one"'


def test_broken_steps_do_not_hide_the_others(stocked: SmallCatalog) -> None:
    write(stocked.root / "train" / "broken" / "step.toml", "[step]\nid = 5\n")
    steps, problems = stocked.catalog().steps()
    assert [step.id for step in steps] == ["convert/hf/merge", "train/lora", "train/sft"]
    assert {d.code for d in problems} == {"NMT103"}
    summaries, problems = stocked.catalog().summaries()
    assert [s.id for s in summaries] == ["convert/hf/merge", "train/lora", "train/sft"]
    assert {d.code for d in problems} == {"NMT103"}


def test_further_roots_come_from_the_environment(
    stocked: SmallCatalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = SmallCatalog(tmp_path / "other")
    other.step("ours/one")
    monkeypatch.setenv("NEMOTRON_STEPS_PATH", os.pathsep.join([str(stocked.root), "", str(other.root)]))
    assert {"train/lora", "ours/one", "sft/automodel"} <= set(default_catalog().folders)


def test_a_root_that_is_not_there_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NEMOTRON_STEPS_PATH", str(tmp_path / "absent"))
    (found,) = failures(default_catalog)
    assert (found.code, found.fix) == ("NMT107", "correct or unset NEMOTRON_STEPS_PATH")
    assert str(tmp_path / "absent") in found.summary


def test_the_shipped_steps_of_a_checkout_may_be_added_to() -> None:
    step = default_catalog().find("sft/automodel")
    assert not is_shipped(step.folder)


def test_an_empty_root_is_an_empty_catalog(tmp_path: Path) -> None:
    assert Catalog([tmp_path]).folders == {}
