"""What a listing says of a step: the same as its manifest, or nothing."""

from __future__ import annotations

import pytest
from small import SmallCatalog, write

from nemotron.catalog.catalog import Catalog, default_catalog
from nemotron.catalog.summary import PortSummary, StepSummary, config_names, read_summary


def test_a_summary_says_what_the_manifest_says(small: SmallCatalog) -> None:
    ports = """
        [[consumes]]
        type = "chat_jsonl"
        at = "a"
        [[consumes]]
        name = "held-out"
        type = "raw_jsonl"
        at = "b"
        required = false
        [[consumes]]
        type = "endpoint"
        at = "c"
        one_of = "model"
        [[produces]]
        type = "packs"
        at = "d"
        [[produces]]
        type = "scores"
        at = "d"
        optional = true
    """
    folder = small.step("a/b", ports, head='tags = ["x", "y"]\nlibrary = "lib"', tiny="", default="")
    assert read_summary("a/b", folder) == StepSummary(
        id="a/b",
        name="A step",
        summary="It does something.",
        library="lib",
        tags=("x", "y"),
        consumes=(
            PortSummary("chat_jsonl", "chat_jsonl", True),
            PortSummary("held-out", "raw_jsonl", False),
            PortSummary("endpoint", "endpoint", False),
        ),
        produces=(PortSummary("packs", "packs", True), PortSummary("scores", "scores", False)),
        configs=("default", "tiny"),
    )


@pytest.mark.parametrize("identity", list(default_catalog().folders))
def test_every_shipped_step_is_summed_up_as_its_manifest_has_it(identity: str) -> None:
    catalog = default_catalog()
    summary = read_summary(identity, catalog.folders[identity])
    manifest = catalog.step(identity).manifest
    assert summary is not None
    assert (summary.name, summary.summary) == (manifest.step.name, manifest.step.summary)
    assert (summary.library, summary.tags) == (manifest.step.library, manifest.step.tags)
    assert [p.type for p in summary.consumes] == [p.type for p in manifest.consumes]
    assert [p.name for p in summary.produces] == [p.name for p in manifest.produces]
    assert list(summary.configs) == catalog.step(identity).config_names()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not toml [",
        "[step]\nid = 'x/y'",
        "[step]\nid = 'a/b'\nname = 'n'",
        "step = 5",
        "[[step]]\n",
        "consumes = 5",
    ],
)
def test_what_the_schema_must_explain_has_none(small: SmallCatalog, text: str) -> None:
    folder = small.step("a/b")
    write(folder / "step.toml", text)
    assert read_summary("a/b", folder) is None
    assert Catalog([small.root]).summaries()[1]


def test_a_step_without_configs_has_no_names(small: SmallCatalog) -> None:
    assert config_names(small.step("a/b") / "config") == []
