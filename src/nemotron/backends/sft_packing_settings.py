"""The config of data_prep/sft_packing, checked, and the recipe that workers get. Reads the tokenizer."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nemotron.backends.job import JobError
from nemotron.data.chat import ChatTemplate, find_template
from nemotron.data.chat_tokens import SPLITS, Recipe
from nemotron.data.conversations import Fields
from nemotron.data.sources import Source, file_format, find_sources
from nemotron.data.tokenizer import for_workers, load

BYTES_PER_WORKER = 4 << 20  # of input: some three seconds, as long as a process takes to start


@dataclass(frozen=True)
class Settings:
    """The step's config. Lengths are in tokens; `weights` are of the sources, 1 where none was given."""

    sources: list[Source]
    fields: Fields
    tokenizer: str
    chat_template: str | None
    pack_size: int
    pad_multiple: int
    algorithm: str
    overlong: str
    formats: tuple[str, ...]
    shares: tuple[float, float, float]
    shards: tuple[int, int, int]
    max_rows: int | None
    seed: int
    workers: int

    @classmethod
    def read(cls, config: dict[str, Any]) -> Settings:
        """JobError NMT213, NMT214, NMT240 or NMT243 for the input, NMT290 for sizes that do not fit."""
        chosen = config.get("format", "both")
        sources, shares = find_sources(config["input_path"]), _shares(config)
        settings = cls(
            sources=sources,
            fields=Fields(config.get("messages_field", "messages"), config.get("tools_field", "tools")),
            tokenizer=config["tokenizer"]["model"],
            chat_template=config.get("chat_template"),
            pack_size=config.get("pack_size", 4096),
            pad_multiple=config.get("pad_multiple", 1),
            algorithm=config.get("algorithm", "first_fit_shuffle"),
            overlong=config.get("overlong", "drop"),
            formats=("parquet", "npy") if chosen == "both" else (chosen,),
            shares=shares,
            shards=_shards(config.get("num_shards", 128), shares),
            max_rows=config.get("max_rows"),
            seed=config.get("seed", 42),
            workers=config.get("workers") or _worthwhile_workers(sources),
        )
        settings._check()
        return settings

    @property
    def files(self) -> list[Path]:
        return [file for source in self.sources for file in source.files]

    @property
    def weights(self) -> tuple[float, ...]:
        return tuple(1.0 if source.weight is None else source.weight for source in self.sources)

    def _check(self) -> None:
        if self.pack_size % self.pad_multiple:
            raise JobError(
                "NMT290",
                f"pack_size is {self.pack_size}, which is no multiple of pad_multiple ({self.pad_multiple})",
                fix=f"pack_size={-(-self.pack_size // self.pad_multiple) * self.pad_multiple}",
            )
        for file in self.files:
            if file_format(file) == "parquet":
                fix = "write the conversations as JSONL, one object a line"
                raise JobError(
                    "NMT243", f"{file.name} is Parquet: conversations are read from JSONL", fix=fix
                )


@dataclass(frozen=True)
class Rules:
    """What turns conversations into tokens: the tokenizer as transformers loaded it, the chat template."""

    loaded: Any
    template: ChatTemplate

    @classmethod
    def load(cls, settings: Settings) -> Rules:
        """JobError NMT244, NMT247 or NMT293 for the tokenizer, NMT264 for the template."""
        loaded = load(settings.tokenizer)
        if not getattr(loaded, "is_fast", False):
            raise JobError(
                "NMT293",
                f"the tokenizer {settings.tokenizer} does not tell where in a text its tokens stand",
                fix="tokenizer.model=FOLDER with a tokenizer.json",
            )
        if loaded.eos_token_id is None:
            fix = "a tokenizer with eos_token in its tokenizer_config.json"
            raise JobError("NMT247", f"the tokenizer {settings.tokenizer} has no EOS token", fix=fix)
        return cls(loaded, find_template(settings.chat_template, loaded, settings.tokenizer))

    def recipe(self, settings: Settings, folder: Path) -> Recipe:
        """What workers need; the tokenizer's rules go to a file in `folder`."""
        return Recipe(
            tokenizer=for_workers(self.loaded, settings.tokenizer, folder),
            template=self.template,
            fields=settings.fields,
            eos=self.loaded.eos_token_id,
            pack_size=settings.pack_size,
            pad_multiple=settings.pad_multiple,
            overlong=settings.overlong,
            shares=settings.shares,
            shards=settings.shards,
            weights=settings.weights,
            seed=settings.seed,
        )

    def digest_of_request(self, settings: Settings) -> str:
        """What stands for everything that decides the result: only for the same does a run go on."""
        files = [
            [source.weight, [[str(f), f.stat().st_size, f.stat().st_mtime_ns] for f in source.files]]
            for source in settings.sources
        ]
        sizes = [settings.pack_size, settings.pad_multiple, settings.algorithm, settings.overlong]
        split = [settings.formats, settings.shares, settings.shards, settings.max_rows, settings.seed]
        rules = [self.loaded.backend_tokenizer.to_str(), self.template.text, self.template.variables]
        told = [files, settings.fields, sizes, split, rules, self.loaded.eos_token_id]
        return hashlib.sha256(json.dumps(told, default=str).encode()).hexdigest()


def _worthwhile_workers(sources: list[Source]) -> int:
    """A process for each core, but none that would start for longer than it works."""
    size = sum(file.stat().st_size for source in sources for file in source.files)
    return min(len(os.sched_getaffinity(0)), 1 + size // BYTES_PER_WORKER)


def _shares(config: dict[str, Any]) -> tuple[float, float, float]:
    train, valid, test = (float(config.get(f"{split}_ratio", split == "train")) for split in SPLITS)
    if abs(train + valid + test - 1) > 1e-6:
        raise JobError(
            "NMT290",
            f"train_ratio, valid_ratio and test_ratio add up to {train + valid + test:g}, not to 1",
            fix=f"train_ratio={1 - valid - test:g}" if valid + test < 1 else "shares that add up to 1",
        )
    return train, valid, test


def _shards(count: int, shares: tuple[float, float, float]) -> tuple[int, int, int]:
    """About `count` shards in all; each split with a share has at least one."""
    train, valid, test = (max(1, round(count * share)) if share else 0 for share in shares)
    return train, valid, test
