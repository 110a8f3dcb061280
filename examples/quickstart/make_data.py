"""Makes everything that the quick start needs, from the docstrings of this Python's standard library.

    python make_data.py OUTPUT

Run it with the automodel library's Python. It writes OUTPUT/data (text and chat records), OUTPUT/model
(a tokenizer and a small base model with random weights) and OUTPUT/eval (lm-eval tasks with their
records), and nothing else. It never overwrites: the folder is made under another name and renamed when
it is whole; one that is whole already is left as it is.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import model as base_model
import records
import tokenizer as quick_tokenizer
from docstrings import Entry, read_entries
from tokenizers import Tokenizer

TASKS = Path(__file__).resolve().parent / "tasks"
SUMMARY = "summary.json"
GENERATED_ANSWERS = 40  # records of the generation task


def main() -> int:
    arguments = argparse.ArgumentParser(description="Make the quick start's data and base model.")
    arguments.add_argument("output", type=Path, metavar="OUTPUT", help="the folder to make")
    output: Path = arguments.parse_args().output.absolute()
    if (output / SUMMARY).is_file():
        print(f"{output} is already there, made by an earlier run: left as it is")
        print_summary(json.loads((output / SUMMARY).read_text(encoding="utf-8")))
        return 0
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        print(f"{output} holds something else: name another folder, or remove it", file=sys.stderr)
        return 2
    output.parent.mkdir(parents=True, exist_ok=True)
    unfinished = output.with_name(f".{output.name}.{os.getpid()}")
    unfinished.mkdir()
    try:
        summary = make(unfinished)
        os.replace(unfinished, output)  # over an empty folder, or none
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    print_summary(summary)
    return 0


def make(folder: Path) -> dict[str, Any]:
    """Write everything under `folder`, which is empty; the counts, as `summary.json` has them."""
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - started:5.1f} s] {text}", flush=True)

    say(f"reading the docstrings of Python {platform.python_version()}'s standard library")
    split = records.split_by_module(read_entries())
    say(f"{len(split.train)} entries to train on, {len(split.valid)} held out; writing records")
    counts = write_data(split, folder / "data")
    say("training the tokenizer")
    tokenizer = quick_tokenizer.train_tokenizer(records.text_record(entry)["text"] for entry in split.train)
    (folder / "model").mkdir()
    quick_tokenizer.save_tokenizer(tokenizer, folder / "model")
    say("writing the evaluation tasks")
    counts |= write_evaluation(split.valid, tokenizer, folder / "eval")
    say("initialising the base model")
    shape = base_model.model_config(
        tokenizer.get_vocab_size(),
        quick_tokenizer.LONGEST_INPUT,
        end=tokenizer.token_to_id(quick_tokenizer.END),
        pad=tokenizer.token_to_id(quick_tokenizer.PAD),
    )
    parameters = base_model.save_model(shape, folder / "model")
    summary = {
        "python": platform.python_version(),
        "records": counts,
        "held_out_modules": split.held_out,
        "tokens": count_tokens(folder / "data", tokenizer),
        "vocabulary": tokenizer.get_vocab_size(),
        "parameters": parameters,
    }
    (folder / SUMMARY).write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    say("done")
    return summary


def write_data(split: records.Split, folder: Path) -> dict[str, int]:
    """Text and chat records of both sides; the number of records by file name."""
    counts = {}
    for side, entries in (("train", split.train), ("valid", split.valid)):
        chat = [entry for entry in entries if records.is_chat_entry(entry)]
        counts[f"text_{side}"] = write_lines(folder / f"text_{side}.jsonl", map(records.text_record, entries))
        counts[f"chat_{side}"] = write_lines(folder / f"chat_{side}.jsonl", map(records.chat_record, chat))
    return counts


def write_evaluation(held_out: Sequence[Entry], tokenizer: Tokenizer, folder: Path) -> dict[str, int]:
    """The shipped task files, and the records that they read from beside them."""
    shutil.copytree(TASKS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    chat = [entry for entry in held_out if records.is_chat_entry(entry)]
    answers = [answer_record(entry, tokenizer) for entry in chat]
    step = max(1, len(answers) // GENERATED_ANSWERS)
    return {
        "stdlib_chat": write_lines(folder / "stdlib_chat.jsonl", answers),
        "stdlib_choice": write_lines(folder / "stdlib_choice.jsonl", records.choice_records(chat)),
        "stdlib_generate": write_lines(folder / "stdlib_generate.jsonl", answers[::step][:GENERATED_ANSWERS]),
    }


def answer_record(entry: Entry, tokenizer: Tokenizer) -> dict[str, Any]:
    """A question, its answer with the end token, and what the loss is divided by."""
    answer = entry.summary + quick_tokenizer.END
    return {
        "question": records.question(entry),
        "answer": answer,
        "reference": entry.summary,
        "tokens": len(tokenizer.encode(answer, add_special_tokens=False).ids),
        "bytes": len(entry.summary.encode()),
    }


def write_lines(path: Path, lines: Iterable[Mapping[str, Any]]) -> int:
    path.parent.mkdir(exist_ok=True)
    written = [json.dumps(line, ensure_ascii=False) + "\n" for line in lines]
    path.write_text("".join(written), encoding="utf-8")
    return len(written)


def count_tokens(data: Path, tokenizer: Tokenizer) -> dict[str, int]:
    """Tokens of each file of records: documents for text, whole conversations for chat."""
    counts = {}
    for path in sorted(data.glob("*.jsonl")):
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        texts = [
            line["text"] if "text" in line else "".join(message["content"] for message in line["messages"])
            for line in lines
        ]
        # Every document ends with one special token; every turn of a chat is between two.
        marks = sum(2 * len(line["messages"]) if "messages" in line else 1 for line in lines)
        counts[path.stem] = marks + sum(len(encoding.ids) for encoding in tokenizer.encode_batch(texts))
    return counts


def print_summary(summary: Mapping[str, Any]) -> None:
    counts, tokens = summary["records"], summary["tokens"]
    print()
    for name, count in counts.items():
        size = f"{tokens[name]:>10,} tokens" if name in tokens else ""
        print(f"  {name:<16}{count:>8,} records{size}")
    print(f"  vocabulary      {summary['vocabulary']:>8,} tokens")
    print(f"  base model      {summary['parameters']:>8,} parameters")
    held_out = summary["held_out_modules"]
    print(f"  held out        {len(held_out)} modules: {', '.join(held_out)}")


if __name__ == "__main__":
    sys.exit(main())
