"""data_prep/pretrain_prep: text documents → Megatron .bin and .idx shards, blend.json and summary.json.

Reads the inputs and the tokenizer, writes the output folder; the work is in `nemotron.data`.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from nemotron.backends.job import Job, JobError, Output, write_json
from nemotron.backends.output import new_folder
from nemotron.data.binidx import (
    SPLITS,
    Recipe,
    Shard,
    chunk_tokenizer,
    shard_names,
    write_blend,
    write_shard,
)
from nemotron.data.sources import Source, chunks_of, find_sources
from nemotron.data.tokenizer import load_tokenizer
from nemotron.data.workers import Workers

SMALLEST_CHUNK, LARGEST_CHUNK = 1 << 20, 1 << 26  # bytes of input
CHUNKS_PER_WORKER = 16  # so that the last chunks leave no worker idle for long
MERGED_IN_PARALLEL = 1 << 28  # tokens: below, importing the library in every worker costs more than it saves
LARGEST_VOCABULARY = {"uint16": 1 << 16, "int32": 1 << 31}
UINT16_BELOW = 65500  # where Megatron's own choice of a dtype changes


@dataclass(frozen=True)
class Settings:
    """The step's config, checked. Lengths are in characters (`min_chars`) and tokens (`max_tokens`)."""

    sources: list[Source]
    tokenizer: str
    add_bos: bool
    add_eos: bool
    text_field: str
    min_chars: int
    max_tokens: int | None
    overlong: str
    shards: tuple[int, int, int]
    seed: int
    dtype: str
    workers: int

    @classmethod
    def read(cls, config: dict[str, Any]) -> Settings:
        """JobError NMT213, NMT214, NMT240 or NMT243 for the input, NMT245 for shards, NMT247 for lengths."""
        tokenizer = config["tokenizer"]
        settings = cls(
            sources=find_sources(config["input_path"]),
            tokenizer=tokenizer["model"],
            add_bos=tokenizer.get("add_bos", False),
            add_eos=tokenizer.get("add_eos", True),
            text_field=config.get("text_field", "text"),
            min_chars=max(1, config.get("min_doc_chars") or 1),
            max_tokens=config.get("max_doc_tokens"),
            overlong=config.get("overlong", "split"),
            shards=_shards_per_split(config),
            seed=config.get("split_seed", 42),
            dtype=config.get("dtype", "auto"),
            workers=config.get("workers") or len(os.sched_getaffinity(0)),
        )
        if settings.max_tokens is not None and settings.max_tokens <= settings.add_bos + settings.add_eos:
            raise JobError(
                "NMT247",
                f"max_doc_tokens is {settings.max_tokens}: beside BOS and EOS it leaves no room for text",
                fix="max_doc_tokens=null, or a larger number",
            )
        return settings

    @property
    def files(self) -> list[Path]:
        return [file for source in self.sources for file in source.files]


def main(job: Job) -> list[Output]:
    """Run the step; the artifact is the output folder, with tokens, documents, dtype and splits as facts."""
    settings = Settings.read(job.config)
    output = new_folder(job.config["output_dir"], "output_dir")
    spilled = output / ".spill"
    shutil.rmtree(spilled, ignore_errors=True)
    spilled.mkdir()
    try:
        return [_prepare(job, settings, output, spilled)]
    finally:
        shutil.rmtree(spilled, ignore_errors=True)


def _prepare(job: Job, settings: Settings, output: Path, spilled: Path) -> Output:
    recipe = _recipe(settings, spilled)
    with Workers(settings.workers, partial(chunk_tokenizer, recipe, spilled)) as workers:
        counts = _tokenize(job, settings, workers)
        shards = _write_shards(job, settings, workers, counts["tokens"], spilled, recipe.dtype)
    splits = [split for split in SPLITS if any(shard.split == split for shard in shards)]
    _check_splits(settings, counts, splits)
    documents = sum(shard.documents for shard in shards)
    write_json(output / "summary.json", _summary(settings, recipe, counts, shards))
    write_blend(output / "blend.json", settings.sources, shards)
    print(f"wrote {counts['tokens']:,} tokens, {documents:,} documents, {len(shards)} shards", flush=True)
    facts: dict[str, str | int] = {"tokens": counts["tokens"], "documents": documents}
    return Output("binidx", output, {**facts, "dtype": recipe.dtype, "splits": ",".join(splits)})


def _shards_per_split(config: dict[str, Any]) -> tuple[int, int, int]:
    total, valid, test = (config.get(key, 0) for key in ("num_shards", "valid_shards", "test_shards"))
    if total - valid - test < 1:
        raise JobError(
            "NMT245",
            f"no shard is left to train on: of {total} shards {valid} validate and {test} test",
            fix=f"num_shards={valid + test + 1}, or more",
        )
    return total - valid - test, valid, test


def _recipe(settings: Settings, folder: Path) -> Recipe:
    """How the workers tokenise: the tokenizer loaded, its special tokens and the dtype chosen."""
    tokenizer = load_tokenizer(settings.tokenizer, folder)
    bos = tokenizer.bos if settings.add_bos else None
    eos = tokenizer.eos if settings.add_eos else None
    for name, wanted, token in (("bos", settings.add_bos, bos), ("eos", settings.add_eos, eos)):
        if wanted and token is None:
            raise JobError(
                "NMT247",
                f"the tokenizer {settings.tokenizer} has no {name} token",
                fix=f"tokenizer.add_{name}=false",
            )
    fitting = "uint16" if tokenizer.size < UINT16_BELOW else "int32"
    dtype = fitting if settings.dtype == "auto" else settings.dtype
    if tokenizer.size > LARGEST_VOCABULARY[dtype]:
        raise JobError("NMT247", f"{tokenizer.size:,} token ids do not fit into {dtype}", fix="dtype=auto")
    return Recipe(
        tokenizer=tokenizer,
        bos=bos,
        eos=eos,
        dtype=dtype,
        text_field=settings.text_field,
        min_chars=settings.min_chars,
        max_tokens=settings.max_tokens,
        overlong=settings.overlong,
        shards=settings.shards,
        seed=settings.seed,
    )


def _tokenize(job: Job, settings: Settings, workers: Workers) -> Counter[str]:
    """Tokenise all inputs; counts of documents and tokens. JobError NMT214 or NMT246 when nothing is left."""
    size = sum(file.stat().st_size for file in settings.files)
    chunk_bytes = min(max(size // (settings.workers * CHUNKS_PER_WORKER), SMALLEST_CHUNK), LARGEST_CHUNK)
    print(
        f"tokenising {len(settings.files)} files ({size:,} bytes), {settings.workers} processes", flush=True
    )
    counts = workers.tokenize(job, chunks_of(settings.sources, chunk_bytes), size)
    if not counts["documents_read"]:
        raise JobError("NMT214", "the input is empty: it holds no documents", file=settings.files[0])
    if not counts["tokens"]:
        raise JobError(
            "NMT246",
            f"none of {counts['documents_read']:,} documents is left: {counts['documents_too_short']:,} "
            f"are shorter than {settings.min_chars} characters, {counts['documents_overlong']:,} longer than "
            f"max_doc_tokens",
            fix="lower min_doc_chars, or set overlong=split",
        )
    return counts


def _write_shards(
    job: Job, settings: Settings, workers: Workers, tokens: int, spilled: Path, dtype: str
) -> list[Shard]:
    """Write every shard from what was spilled; those that hold documents, in order."""
    output, write = spilled.parent, partial(write_shard, spilled, dtype)
    tasks = [
        (number, name, output / source.name / name)
        for number, source in enumerate(settings.sources)
        for name in shard_names(settings.shards)
    ]
    written = workers.map(write, tasks) if tokens >= MERGED_IN_PARALLEL else map(write, tasks)
    shards: list[Shard] = []
    for done, shard in enumerate(written, 1):
        shards += [shard] if shard else []
        if done == len(tasks) or done % 16 == 0:
            job.progress(done, len(tasks), unit="shards")
    return shards


def _check_splits(settings: Settings, counts: Counter[str], found: list[str]) -> None:
    """JobError NMT245 when a split that was asked for got no document."""
    wanted = [split for split, count in zip(SPLITS, settings.shards, strict=True) if count]
    if empty := [split for split in wanted if split not in found]:
        raise JobError(
            "NMT245",
            f"no document fell into the split {' and '.join(empty)}: {counts['documents_read']:,} documents "
            f"are few for {sum(settings.shards)} shards",
            fix="lower num_shards, or set valid_shards=0 and test_shards=0",
        )


def _summary(settings: Settings, recipe: Recipe, counts: Counter[str], shards: list[Shard]) -> dict[str, Any]:
    """What was done, for people: counts, and each shard with its size."""
    return {
        "tokenizer": settings.tokenizer,
        "dtype": recipe.dtype,
        "bos": recipe.bos,
        "eos": recipe.eos,
        "counts": dict(sorted(counts.items())),
        "shards": [
            {
                "input": settings.sources[shard.source].name or None,
                "name": shard.path.name,
                "tokens": shard.tokens,
                "documents": shard.documents,
            }
            for shard in shards
        ],
    }
