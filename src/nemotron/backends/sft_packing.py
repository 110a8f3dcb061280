"""data_prep/sft_packing: conversations → packed sequences with loss masks, as Parquet shards and .npy files.

Reads the inputs and the tokenizer, writes the output folder; the work is in `nemotron.data`. What is not
finished lies in `.partial` in that folder, so the same request goes on where a killed one stopped.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from nemotron.backends.job import Job, JobError, Output, write_json
from nemotron.backends.output import new_folder
from nemotron.backends.sft_packing_settings import Rules, Settings
from nemotron.data.chat_tokens import SPLITS, Recipe, chunk_tokenizer
from nemotron.data.packed_files import Stats, pack_shard, write_npy
from nemotron.data.sequences import chunk_counts
from nemotron.data.sources import Chunk, chunks_of, first_lines
from nemotron.data.workers import Workers

# Bytes of input between two points at which a killed run goes on.
SMALLEST_CHUNK, LARGEST_CHUNK = 1 << 19, 1 << 24
CHUNKS = 128
# Why conversations are not in the packs, or not whole, and what mends it.
LOST = {
    "conversations_overlong": ("longer than a pack", "a larger pack_size, or overlong=truncate"),
    "conversations_without_loss": (
        "without a turn of the assistant to learn",
        "conversations with turns of the role 'assistant'",
    ),
    "conversations_left_out": ("not drawn by their weight", "larger weights"),
}

Shards = dict[str, list[tuple[Path, Stats]]]


def main(job: Job) -> list[Output]:
    """Run the step; the artifact is the output folder."""
    settings = Settings.read(job.config)
    output = Path(job.config["output_dir"])
    rules = Rules.load(settings)
    request = rules.digest_of_request(settings)
    if (summary := _read(output / "summary.json")).get("request") != request:
        unfinished = _unfinished(output, request)
        summary = _pack(job, settings, rules.recipe(settings, unfinished), output, unfinished)
        write_json(output / "summary.json", {"request": request, **summary})
    shutil.rmtree(output / ".partial", ignore_errors=True)
    return [Output("packed_parquet", output, summary["facts"])]


def _unfinished(output: Path, request: str) -> Path:
    """The folder for what is not finished: as a killed run left it, if that was at the same request."""
    folder = output / ".partial"
    if _read(folder / "request.json").get("request") != request:
        new_folder(str(output), "output_dir")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        write_json(folder / "request.json", {"request": request})
    return folder


def _pack(job: Job, settings: Settings, recipe: Recipe, output: Path, unfinished: Path) -> dict[str, Any]:
    """Do all that is not done yet; the summary."""
    with Workers(settings.workers, partial(chunk_tokenizer, recipe, unfinished)) as workers:
        counts = _tokenize(job, settings, workers, unfinished)
        # Without Parquet wanted, the shards are what the .npy files are made of.
        folder = output if "parquet" in settings.formats else unfinished / "shards"
        shards = _write_shards(job, settings, workers, unfinished, folder)
    _check_splits(settings, counts, shards)
    if "npy" in settings.formats:
        _write_npy(job, settings, shards, output)
    (output / "tokenizer").mkdir(exist_ok=True)
    shutil.copyfile(unfinished / "tokenizer.json", output / "tokenizer" / "tokenizer.json")
    (output / "tokenizer" / "chat_template.jinja").write_text(recipe.template.text, encoding="utf-8")
    return _summary(settings, recipe, counts, shards)


def _tokenize(job: Job, settings: Settings, workers: Workers, unfinished: Path) -> Counter[str]:
    """Tokenise what is not tokenised yet; counts of conversations and tokens over all of it."""
    size = sum(file.stat().st_size for file in settings.files)
    chunks = list(_chunks(settings))
    known = {chunk: chunk_counts(unfinished, chunk) for chunk in chunks}
    left = [chunk for chunk in chunks if known[chunk] is None]
    counts: Counter[str] = Counter()
    for count in known.values():
        counts.update(count or {})
    read = sum(chunk.size for chunk in chunks if known[chunk] is not None)
    print(
        f"tokenising {len(settings.files)} files ({size:,} bytes, {read:,} of them done before), "
        f"{settings.workers} processes",
        flush=True,
    )
    counts.update(workers.tokenize(job, left, size, before=read))
    if not counts["conversations_read"]:
        raise JobError("NMT214", "the input is empty: it holds no conversations", file=settings.files[0])
    if not counts["tokens"]:
        summary = f"none of {counts['conversations_read']:,} conversations is left: {_lost(counts)}"
        most = max(LOST, key=lambda name: counts[name])
        raise JobError("NMT246", summary, fix=LOST[most][1])
    return counts


def _lost(counts: Counter[str]) -> str:
    """How many conversations are not in the packs as they were, and why; nothing where all are."""
    return ", ".join(f"{counts[name]:,} {why}" for name, (why, _) in LOST.items() if counts[name])


def _chunks(settings: Settings) -> list[Chunk]:
    """The same for any number of workers, of which a resumed run may have more or fewer."""
    size = sum(file.stat().st_size for file in settings.files)
    chunks = chunks_of(settings.sources, min(max(size // CHUNKS, SMALLEST_CHUNK), LARGEST_CHUNK))
    return list(chunks if settings.max_rows is None else first_lines(chunks, settings.max_rows))


def _write_shards(job: Job, settings: Settings, workers: Workers, unfinished: Path, folder: Path) -> Shards:
    """Pack every shard; by split, the files with what they hold, without those that got nothing."""
    places = [
        (split, folder / split / f"shard_{number:05d}.parquet")
        for split, count in zip(SPLITS, settings.shards, strict=True)
        for number in range(count)
    ]
    pack = partial(pack_shard, unfinished, len(places), settings.algorithm, settings.pack_size)
    shards: Shards = {split: [] for split in SPLITS}
    tasks = list(enumerate(file for _, file in places))
    for done, ((split, file), stats) in enumerate(zip(places, workers.map(pack, tasks), strict=True), 1):
        if stats.packs:
            shards[split].append((file, stats))
        if done == len(tasks) or done % settings.workers == 0:
            job.progress(done, len(tasks), unit="shards")
    return shards


def _check_splits(settings: Settings, counts: Counter[str], shards: Shards) -> None:
    """JobError NMT245 when a split that was asked for got no conversation."""
    wanted = [split for split, share in zip(SPLITS, settings.shares, strict=True) if share]
    if empty := [split for split in wanted if not shards[split]]:
        raise JobError(
            "NMT245",
            f"no conversation fell into the split {' and '.join(empty)}, of "
            f"{counts['conversations_read']:,} conversations read",
            fix=", ".join(f"{split}_ratio=0" for split in empty) + ", or a larger share",
        )


def _write_npy(job: Job, settings: Settings, shards: Shards, output: Path) -> None:
    """Write one .npy file a split, and metadata.json with an entry for each of them."""
    held = [split for split in SPLITS if shards[split]]
    for done, split in enumerate(held, 1):
        if not (file := output / f"{split}.npy").exists():
            write_npy(file, [shard for shard, _ in shards[split]], _total(shards[split]).packs)
        job.progress(done, len(held), unit="npy files")
    entries = [_total(shards[split]).metadata(settings.pack_size) for split in held]
    write_json(output / "metadata.json", entries)


def _total(shards: list[tuple[Path, Stats]]) -> Stats:
    return Stats.total([stats for _, stats in shards])


def _summary(settings: Settings, recipe: Recipe, counts: Counter[str], shards: Shards) -> dict[str, Any]:
    """What was done, for people and for the artifact's record."""
    held = {split: _total(files) for split, files in shards.items() if files}
    everything = Stats.total(list(held.values()))
    efficiency = everything.efficiency(settings.pack_size)
    template = hashlib.sha256(recipe.template.text.rstrip().encode()).hexdigest()
    print(
        f"wrote {everything.packs:,} packs of {everything.sequences:,} conversations, "
        f"{efficiency:.2f} % full: {', '.join(f'{s.packs:,} {split}' for split, s in held.items())}",
        flush=True,
    )
    if lost := _lost(counts):
        print(f"left out{' or cut' if settings.overlong == 'truncate' else ''}: {lost}", flush=True)
    return {
        "facts": {
            "chat_template": template,
            "splits": ",".join(held),
            "tokens": everything.tokens,
            "documents": everything.sequences,
            "packing_efficiency": f"{efficiency:.2f} %",
        },
        "tokenizer": settings.tokenizer,
        "eos": recipe.eos,
        "loss_from": "template markers" if recipe.template.has_markers else "what each turn adds",
        "pack_size": settings.pack_size,
        "pad_multiple": settings.pad_multiple,
        "algorithm": settings.algorithm,
        "overlong": settings.overlong,
        "counts": dict(sorted(counts.items())),
        "splits": {
            split: {
                **asdict(stats),
                "efficiency": round(stats.efficiency(settings.pack_size), 2),
                "shards": [{"name": file.stem, **asdict(part)} for file, part in shards[split]],
            }
            for split, stats in held.items()
        },
    }


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
