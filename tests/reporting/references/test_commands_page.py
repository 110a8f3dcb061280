"""What COMMANDS.md says of a step: what must be given, with placeholders of the right kind."""

from __future__ import annotations

from small import SmallCatalog

from nemotron.config.layers import read_layers
from nemotron.reporting.references.commands_page import commands_page, required_keys

PORTS = """
    [[consumes]]
    type = "chat_jsonl"
    at = "data"

    [[consumes]]
    type = "checkpoint_hf"
    at = "model"
    one_of = "target"

    [[consumes]]
    type = "endpoint"
    at = "url"
    one_of = "target"

    [[consumes]]
    name = "more"
    type = "chat_jsonl"
    at = "more"
    required = false

    [[parameters]]
    key = "lr"
    type = "number"
    required = true
    description = "The rate."

    [credentials]
    HF_TOKEN = "The model is <gated>."
"""
DEFAULT = "# A config.\n# And more.\ndata: null\nmodel: null\nurl: null\nmore: null\nlr: null\nname: ???\n"
TINY = "# The small one\ndefaults: default.yaml\nurl: https://somewhere/v1\ndata: here.jsonl\nlr: 1\n"


def test_what_a_config_leaves_open_must_be_given(small: SmallCatalog) -> None:
    small.step("train/one", PORTS, default=DEFAULT, tiny=TINY)
    step = small.catalog().step("train/one")
    needed = {
        name: list(required_keys(step, read_layers(step.config_folder / f"{name}.yaml")))
        for name in ("default", "tiny")
    }
    assert needed == {"default": [("model", "url"), ("data",), ("lr",), ("name",)], "tiny": [("name",)]}


def test_the_page_shows_the_command_of_each_purpose(small: SmallCatalog) -> None:
    small.step("train/one", PORTS, default=DEFAULT, tiny=TINY, mine="defaults: tiny.yaml\n")
    catalog = small.catalog()
    page = "\n".join(commands_page([catalog.step("train/one")], catalog.types, []))
    assert "nemotron steps run train/one -c tiny name=VALUE\n" in page
    assert "nemotron steps run train/one model=PATH data=PATH lr=N name=VALUE --batch PROFILE\n" in page
    assert "| `default` | A config. | `model` or `url`, `data`, `lr`, `name` |" in page
    assert "- `HF_TOKEN`: The model is \\<gated\\>." in page
    assert "mine" not in page  # a config that a person made beside the shipped ones
