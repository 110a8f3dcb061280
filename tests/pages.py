"""What a Markdown page for people and agents names: steps, config keys, and what else stands in backticks."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from nemotron.catalog.catalog import Catalog
from nemotron.config.layers import read_layers
from nemotron.config.tree import join_key, leaves

CATALOG = Catalog([Path(__file__).resolve().parents[1] / "steps"])
# Names of files look like keys.
_FILE_ENDINGS = ("json", "jsonl", "md", "npy", "parquet", "py", "safetensors", "toml", "txt", "yaml")


def code_spans(text: str) -> list[str]:
    """What stands in backticks, each on one line however it was wrapped; not what stands in blocks."""
    prose = re.sub(r"^ *```.*?^ *```", "", text, flags=re.M | re.S)
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]


def steps_in(text: str) -> set[str]:
    """The ids of steps that a page names."""
    categories = "|".join(sorted({identity.partition("/")[0] for identity in CATALOG.folders}))
    step = rf"(?<![\w/.])(?:{categories})/[\w/]+"
    return {name for span in code_spans(text) for name in re.findall(step, span)}


def keys_in(text: str) -> set[str]:
    """The dotted config keys that a page names, alone or with a value."""
    spans = [span.partition("=")[0] for span in code_spans(text) if " " not in span.partition("=")[0]]
    keys = {span for span in spans if re.fullmatch(r"[a-z]\w*(\.\w+)+", span)}
    return {key for key in keys if key.rpartition(".")[2] not in _FILE_ENDINGS}


def settings_in(text: str) -> list[str]:
    """Each KEY=VALUE of a config that stands in backticks by itself."""
    spans = dict.fromkeys(code_spans(text))
    return [span for span in spans if re.fullmatch(r"[a-z]\w*(\.\w+)*=\S+", span)]


@cache
def catalog_keys() -> set[str]:
    """Every key of every default config, with the tables that they stand in."""
    configs = [read_layers(CATALOG.step(name).config_folder / "default.yaml") for name in CATALOG.folders]
    paths = [path for config in configs for path, _ in leaves(config.tree)]
    return {join_key(path[:end]) for path in paths for end in range(1, len(path) + 1)}


@cache
def known_words() -> set[str]:
    """What a single word in backticks may be: part of a key, a type, a fact, a port, an error, a config."""
    manifests = [CATALOG.step(identity).manifest for identity in CATALOG.folders]
    words = {part for key in catalog_keys() for part in key.split(".")}
    words |= {*CATALOG.types.types, *CATALOG.types.facts}
    words |= {name for identity in CATALOG.folders for name in CATALOG.step(identity).config_names()}
    words |= {port.name for manifest in manifests for port in (*manifest.consumes, *manifest.produces)}
    words |= {
        choice for m in manifests for p in m.parameters for choice in p.choices if isinstance(choice, str)
    }
    return words | {error.id for manifest in manifests for error in manifest.errors}
