"""Packing conversations: what is in the packs is what was said, masked as it was said, whoever packed it."""

from __future__ import annotations

import gzip
import json
import random
import signal
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import REPOSITORY
from step_errors import recognised

pytestmark = pytest.mark.training

USER, ASSISTANT, END = 202, 203, 204
CONVERSATIONS = 240
MARKED = (
    "{% for m in messages %}{% if m.role == 'assistant' %}<|assistant|>"
    "{% generation %}{{ m.content }} <|end|>{% endgeneration %}"
    "{% else %}<|user|> {{ m.content }} <|end|>{% endif %} {% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
UNMARKED = MARKED.replace("{% generation %}", "").replace("{% endgeneration %}", "")
JOBS: dict[str, dict[str, Any]] = {
    "plain": {},
    "three_workers": {"workers": 3},
    "decreasing": {"algorithm": "first_fit_decreasing"},
    "concatenative": {"algorithm": "concatenative"},
    "unmarked": {"chat_template": UNMARKED},
    "template_file": {"chat_template": "unmarked.jinja"},
    "gzip": {"input_path": "chat.jsonl.gz"},
    "other_seed": {"seed": 2},
    "padded": {"pad_multiple": 8},
    "npy": {"format": "npy"},
    "parquet": {"format": "parquet"},
    "drop": {"pack_size": 24, "overlong": "drop"},
    "truncate": {"pack_size": 24, "overlong": "truncate"},
    "truncate_padded": {"pack_size": 24, "overlong": "truncate", "pad_multiple": 4},
    "first": {"max_rows": 50},
    "weighted": {"input_path": [{"path": "chat.jsonl", "weight": 2}, {"path": "more.jsonl", "weight": 0.5}]},
    "twice": {"input_path": ["chat.jsonl", "chat.jsonl"]},
    "bad_line": {"input_path": "bad.jsonl", "workers": 2},
    "no_turns": {"input_path": "no_turns.jsonl"},
    "no_answer": {"input_path": "no_answer.jsonl"},
    "raises": {"chat_template": "{% if messages | length > 2 %}{{ raise_exception('too long') }}{% endif %}"},
    "unlike": {"chat_template": "{{ messages | length }}" + UNMARKED},
    "not_jinja": {"chat_template": "broken.jinja"},
    "empty_template": {"chat_template": "empty.jinja"},
    "no_template": {"tokenizer": "word_tokenizer"},
    "no_tokenizer": {"tokenizer": "/nowhere/tokenizer"},
    "odd_size": {"pack_size": 100, "pad_multiple": 8},
    "odd_shares": {"train_ratio": 0.5},
    "empty_split": {"test_ratio": 0.001, "train_ratio": 0.799, "input_path": "few.jsonl"},
    "not_empty": {"output_dir": "taken"},
}


def make_chats(seed: int, count: int) -> list[list[list[int]]]:
    """Different conversations of one to three exchanges: what user and assistant say, as token ids."""
    draw = random.Random(seed)
    return [
        [[draw.randrange(199) for _ in range(draw.randint(1, 12))] for _ in range(2 * draw.randint(1, 3))]
        for _ in range(count)
    ]


CHATS, MORE = make_chats(1, CONVERSATIONS), make_chats(2, 200)


def record(chat: list[list[int]]) -> str:
    roles = ("user", "assistant")
    turns = [
        {"role": roles[n % 2], "content": " ".join(f"w{t}" for t in says)} for n, says in enumerate(chat)
    ]
    return json.dumps({"messages": turns}) + "\n"


def expected(chat: list[list[int]]) -> tuple[list[int], list[int]]:
    """The tokens of a conversation, and which of them are followed by one that is learnt."""
    ids, learnt = [], []
    for number, says in enumerate(chat):
        ids += [(USER, ASSISTANT)[number % 2], *says, END]
        learnt += [0, *[number % 2] * (len(says) + 1)]
    return ids, [*learnt[1:], 0]


def fits(chat: list[list[int]], size: int) -> bool:
    return len(expected(chat)[0]) - 1 <= size


def sequences_of(pack: dict[str, Any]) -> Iterator[tuple[list[int], list[int]]]:
    """The ids and the mask of each conversation of a pack."""
    bounds = [*pack["seq_start_id"], len(pack["input_ids"])]
    assert bounds[0] == 0
    assert len(pack["loss_mask"]) == bounds[-1]
    for start, end in pairwise(bounds):
        yield pack["input_ids"][start:end], pack["loss_mask"][start:end]


class Packed:
    """What the jobs left: the answer of each, and the conversations in its packs."""

    def __init__(self, folder: Path, answers: dict[str, Any]) -> None:
        self.folder = folder
        self.answers = answers

    def error(self, name: str) -> dict[str, Any]:
        return self.answers[name]["error"]

    def summary(self, name: str) -> dict[str, Any]:
        return json.loads((self.folder / name / "out" / "summary.json").read_text())

    def files(self, name: str) -> dict[str, bytes]:
        out = self.folder / name / "out"
        return {
            str(p.relative_to(out)): p.read_bytes()
            for p in out.rglob("*")
            if p.suffix != ".json" and p.is_file()
        }

    def packs(self, name: str, split: str) -> list[dict[str, Any]]:
        return self.answers[f"packs of {name}"][split]

    def sequences(self, name: str, *splits: str) -> list[tuple[list[int], list[int]]]:
        """The ids and the mask of every conversation, sorted."""
        found = []
        for split in splits or ("train", "valid"):
            for pack in self.packs(name, split):
                found += sequences_of(pack)
        return sorted(found)


def write_inputs(folder: Path) -> None:
    lines = [record(chat) for chat in CHATS]
    (folder / "chat.jsonl").write_text("".join(lines))
    (folder / "chat.jsonl.gz").write_bytes(gzip.compress("".join(lines).encode()))
    (folder / "more.jsonl").write_text("".join(map(record, MORE)))
    (folder / "few.jsonl").write_text("".join(lines[:20]))
    (folder / "bad.jsonl").write_text("".join(lines) + "{'messages'}\n" + "".join(lines))
    (folder / "no_turns.jsonl").write_text('{"conversations": []}\n')
    (folder / "no_answer.jsonl").write_text('{"messages": [{"role": "user", "content": "w1"}]}\n' * 3)
    (folder / "unmarked.jinja").write_text(UNMARKED)
    (folder / "broken.jinja").write_text("{# one line #}\n{{ messages[0].content }")
    (folder / "empty.jinja").write_text("")
    (folder / "taken").mkdir()
    (folder / "taken" / "weights.safetensors").write_text("somebody's")


def make_tokenizer(words: Path, folder: Path) -> Path:
    """The tokenizer of plain words with marks of turns, and a template that has generation markers."""
    folder.mkdir()
    rules = json.loads((words / "tokenizer.json").read_text())
    marks = {"<|user|>": USER, "<|assistant|>": ASSISTANT, "<|end|>": END}
    rules["model"]["vocab"] |= marks
    kind = rules["added_tokens"][0]
    rules["added_tokens"] += [{**kind, "id": number, "content": name} for name, number in marks.items()]
    config = json.loads((words / "tokenizer_config.json").read_text())
    config |= {"eos_token": "<|end|>", "pad_token": "<|end|>", "chat_template": MARKED}
    (folder / "tokenizer.json").write_text(json.dumps(rules))
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


def job_call(folder: Path, name: str, tokenizers: dict[str, Path]) -> dict[str, Any]:
    config: dict[str, Any] = {
        "input_path": "chat.jsonl",
        "num_shards": 3,
        "workers": 1,
        "seed": 1,
        "pack_size": 128,
    }
    config |= {
        "train_ratio": 0.8,
        "valid_ratio": 0.2,
        "test_ratio": 0.0,
        "output_dir": f"{name}/out",
        **JOBS[name],
    }
    chosen = config.get("tokenizer", "chat_tokenizer")
    config["tokenizer"] = {"model": str(tokenizers.get(chosen, chosen))}

    def placed(entry: Any) -> Any:
        return {**entry, "path": placed(entry["path"])} if isinstance(entry, dict) else str(folder / entry)

    inputs = config["input_path"]
    config["input_path"] = [placed(entry) for entry in inputs] if isinstance(inputs, list) else placed(inputs)
    config["output_dir"] = placed(config["output_dir"])
    if str(config.get("chat_template", "")).endswith(".jinja"):
        config["chat_template"] = placed(config["chat_template"])
    call = {"call": "job", "backend": "sft_packing", "folder": str(folder / name), "config": config}
    return {**call, "constants": {"SMALLEST_CHUNK": 4000}}


@pytest.fixture(scope="module")
def chat_tokenizer(word_tokenizer: Path, tmp_path_factory: Any) -> Path:
    return make_tokenizer(word_tokenizer, tmp_path_factory.mktemp("chat") / "tokenizer")


@pytest.fixture(scope="module")
def packed(in_library: Any, word_tokenizer: Path, chat_tokenizer: Path, tmp_path_factory: Any) -> Packed:
    folder = tmp_path_factory.mktemp("packed")
    write_inputs(folder)
    tokenizers = {"chat_tokenizer": chat_tokenizer, "word_tokenizer": word_tokenizer}
    calls = [job_call(folder, name, tokenizers) for name in JOBS]
    reads = [{"call": "read_packs", "folder": str(folder / name / "out")} for name in JOBS]
    turns = [json.loads(record(chat))["messages"] for chat in CHATS]
    masks = {"call": "assistant_masks", "tokenizer": str(chat_tokenizer), "conversations": turns}
    *answers, learnt = in_library([*calls, *reads, masks])
    names = [*JOBS, *(f"packs of {name}" for name in JOBS)]
    return Packed(folder, {**dict(zip(names, answers, strict=True)), "masks": learnt})


def test_the_packs_hold_every_conversation_once_with_its_mask(packed: Packed) -> None:
    assert packed.sequences("plain") == sorted(expected(chat) for chat in CHATS)


def test_the_mask_is_that_of_the_tokenizer_s_own_markers(packed: Packed) -> None:
    shifted = sorted((ids, [*mask[1:], 0]) for ids, mask in packed.answers["masks"])
    assert packed.sequences("plain") == shifted


def test_no_pack_is_over_full_and_the_summary_counts_what_is_there(packed: Packed) -> None:
    for name in ("plain", "decreasing", "concatenative", "padded"):
        packs = packed.packs(name, "train")
        held = [len(pack["input_ids"]) - len(pack["seq_start_id"]) for pack in packs]
        told = packed.summary(name)["splits"]["train"]
        assert max(held) <= 128
        assert (told["packs"], told["tokens"], told["shortest_pack"]) == (len(packs), sum(held), min(held))
        assert told["learnt"] == sum(sum(pack["loss_mask"]) for pack in packs)
        assert told["efficiency"] == pytest.approx(100 * sum(held) / len(packs) / 128, abs=0.01)


@pytest.mark.parametrize("name", ["decreasing", "concatenative", "unmarked", "template_file", "gzip"])
def test_another_way_gives_the_same_conversations(packed: Packed, name: str) -> None:
    for split in ("train", "valid"):
        assert packed.sequences(name, split) == packed.sequences("plain", split)


def test_the_result_does_not_depend_on_the_number_of_workers(packed: Packed) -> None:
    assert packed.files("three_workers") == packed.files("plain")


def test_npy_and_parquet_hold_the_same_packs(packed: Packed) -> None:
    files = packed.files("plain")
    assert {name for name in files if name.endswith(".npy")} == {"train.npy", "valid.npy"}
    for split in ("train", "valid"):
        assert packed.packs("npy", split) == packed.packs("parquet", split) == packed.packs("plain", split)
    alone = [[name for name in packed.files(kind) if "tokenizer" not in name] for kind in ("npy", "parquet")]
    assert alone == [
        [n for n in alone[0] if n.endswith(".npy")],
        [n for n in alone[1] if n.endswith(".parquet")],
    ]


def test_parquet_has_the_columns_that_are_read(packed: Packed) -> None:
    assert packed.answers["packs of plain"]["schema"] == {
        "input_ids": "list<element: int32>",
        "loss_mask": "list<element: int8>",
        "seq_start_id": "list<element: int32>",
    }


def test_the_metadata_is_that_of_the_library(packed: Packed) -> None:
    told = json.loads((packed.folder / "plain" / "out" / "metadata.json").read_text())
    packs = packed.packs("plain", "train")
    counted = [len(ids) - 1 for ids, _ in packed.sequences("plain", "train")]
    held = [len(pack["input_ids"]) - len(pack["seq_start_id"]) for pack in packs]
    assert told[0] == {
        "dataset_max_seqlen": max(counted),
        "max_samples_per_bin": max(len(pack["seq_start_id"]) for pack in packs),
        "packing_factor": round(len(counted) / len(packs), 2),
        "packing_efficiency": round(100 * sum(counted) / len(packs) / 128, 2),
        "pack_size": 128,
        "min_packed_seqlen": min(held),
    }


def test_the_seed_moves_conversations_between_splits(packed: Packed) -> None:
    assert packed.sequences("other_seed") == packed.sequences("plain")
    assert packed.sequences("other_seed", "valid") != packed.sequences("plain", "valid")
    assert 20 < len(packed.sequences("plain", "valid")) < 80


def test_equal_conversations_fall_into_one_split(packed: Packed) -> None:
    for split in ("train", "valid"):
        assert packed.sequences("twice", split) == sorted(2 * packed.sequences("plain", split))


def test_padding_is_behind_each_conversation_and_is_not_learnt(packed: Packed) -> None:
    def padded(ids: list[int], mask: list[int]) -> tuple[list[int], list[int]]:
        more = -len(ids) % 8 + 1
        return ids + [END] * more, mask + [0] * more

    assert packed.sequences("padded") == sorted(padded(*expected(chat)) for chat in CHATS)


def test_long_conversations_are_dropped_and_counted(packed: Packed) -> None:
    kept = [chat for chat in CHATS if fits(chat, 24)]
    assert packed.sequences("drop") == sorted(map(expected, kept))
    assert packed.summary("drop")["counts"]["conversations_overlong"] == CONVERSATIONS - len(kept)


def test_long_conversations_are_truncated_and_counted(packed: Packed) -> None:
    cut = [[part[:25] for part in expected(chat)] for chat in CHATS]
    assert [ids for ids, _ in packed.sequences("truncate")] == sorted(ids for ids, _ in cut)
    assert all(mask[-1] == 0 for _, mask in packed.sequences("truncate"))
    lost = sum(max(0, len(expected(chat)[0]) - 25) for chat in CHATS)
    assert packed.summary("truncate")["counts"]["tokens_cut_off"] == lost
    assert {len(ids) % 4 for ids, _ in packed.sequences("truncate_padded")} == {1}
    assert max(len(ids) for ids, _ in packed.sequences("truncate_padded")) == 25


def test_only_the_first_conversations_are_read(packed: Packed) -> None:
    assert packed.sequences("first") == sorted(expected(chat) for chat in CHATS[:50])


def test_weights_repeat_what_is_trained_on_and_take_a_share(packed: Packed) -> None:
    first, second = (sorted(map(expected, chats)) for chats in (CHATS, MORE))
    train, valid = packed.sequences("weighted", "train"), packed.sequences("weighted", "valid")
    assert [s for s in train if s in first] == sorted(2 * packed.sequences("plain", "train"))
    assert [s for s in valid if s in first] == packed.sequences("plain", "valid")
    taken = [s for s in train + valid if s in second]
    assert len(taken) == len({str(s) for s in taken})
    assert 70 < len(taken) < 130
    counts = packed.summary("weighted")["counts"]
    assert counts["conversations_left_out"] == len(MORE) - len(taken)


def test_the_facts_are_what_was_written(packed: Packed) -> None:
    (output,) = packed.answers["plain"]["outputs"]
    summary = packed.summary("plain")
    assert output["port"] == "packed_parquet"
    assert output["facts"]["splits"] == "train,valid"
    assert output["facts"]["documents"] == CONVERSATIONS
    assert output["facts"]["tokens"] == sum(len(expected(chat)[0]) - 1 for chat in CHATS)
    assert output["facts"]["packing_efficiency"].endswith(" %")
    assert (summary["loss_from"], packed.summary("unmarked")["loss_from"]) == (
        "template markers",
        "what each turn adds",
    )


@pytest.mark.parametrize(
    ("name", "code", "says", "known"),
    [
        ("no_turns", "NMT215", "there is no field 'messages': it has conversations", "unusable_record"),
        ("no_answer", "NMT246", "3 without a turn of the assistant to learn", "nothing_left"),
        ("raises", "NMT291", "does not take this conversation: too long", "template_refuses"),
        ("unlike", "NMT292", "turn 2 stands", "turns_not_told_apart"),
        ("not_jinja", "NMT266", "line 2: unexpected '}'", "chat_template_not_read"),
        ("empty_template", "NMT264", "the chat template is empty", "chat_template_missing"),
        ("no_template", "NMT264", "has no chat template", "chat_template_missing"),
        ("no_tokenizer", "NMT244", "there is no tokenizer at", "tokenizer_not_loaded"),
        ("odd_size", "NMT290", "no multiple of pad_multiple", "sizes_do_not_fit"),
        ("odd_shares", "NMT290", "add up to 0.7", "sizes_do_not_fit"),
        ("empty_split", "NMT245", "no conversation fell into the split test", "split_without_conversations"),
        ("not_empty", "NMT704", "it holds weights.safetensors", None),
    ],
)
def test_bad_input_is_explained(packed: Packed, name: str, code: str, says: str, known: str | None) -> None:
    error = packed.error(name)
    assert error["code"] == code
    assert says in error["summary"]
    assert recognised("data_prep/sft_packing", error) == ([known] if known else [])


@pytest.mark.parametrize(("name", "line"), [("bad_line", CONVERSATIONS + 1), ("no_turns", 1)])
def test_a_bad_line_is_named_by_its_number(packed: Packed, name: str, line: int) -> None:
    error = packed.error(name)
    assert (error["code"], error["line"]) == ("NMT215", line)
    assert error["file"] == str(packed.folder / f"{name.removesuffix('_line')}.jsonl")


def test_a_broken_template_is_named_with_its_line(packed: Packed) -> None:
    error = packed.error("not_jinja")
    assert (error["file"], error["line"]) == (str(packed.folder / "broken.jinja"), 2)


def test_the_fix_is_for_what_left_the_conversations_out(packed: Packed) -> None:
    assert packed.error("no_answer")["fix"] == "conversations with turns of the role 'assistant'"


def test_the_template_s_error_names_the_line(packed: Packed) -> None:
    first = next(number for number, chat in enumerate(CHATS, 1) if len(chat) > 2)
    assert packed.error("raises")["line"] == first


def test_megatron_bridge_reads_the_packs_that_were_written_and_makes_the_same(
    packed: Packed, in_megatron: Any, chat_tokenizer: Path
) -> None:
    call = {"call": "packs_in_megatron", "npy": str(packed.folder / "plain" / "out" / "train.npy")}
    call |= {"conversations": str(packed.folder / "chat.jsonl"), "tokenizer": str(chat_tokenizer)}
    (told,) = in_megatron([{**call, "pack_size": 128}])
    written = packed.packs("plain", "train")
    assert [pack["input_ids"] for pack in told["packs"]] == [pack["input_ids"] for pack in written]
    assert [pack["loss_mask"] for pack in told["packs"]] == [pack["loss_mask"] for pack in written]
    assert [pack["seq_boundaries"] for pack in told["packs"]] == [
        [*pack["seq_start_id"], len(pack["input_ids"])] for pack in written
    ]
    sequences = list(sequences_of(written[0]))
    held = sum(len(ids) - 1 for ids, _ in sequences)
    batch = told["batch"]
    assert batch["tokens"][:held] == [token for ids, _ in sequences for token in ids[:-1]]
    assert batch["labels"][:held] == [token for ids, _ in sequences for token in ids[1:]]
    learnt = [label for label, loss in zip(batch["labels"], batch["loss_mask"], strict=True) if loss]
    assert learnt == [
        token for ids, mask in sequences for token, loss in zip(ids[1:], mask, strict=False) if loss
    ]
    assert batch["cu_seqlens"][1] == len(sequences[0][0]) - 1
    assert sorted(found for pack in told["own"] for found in sequences_of(pack)) == packed.sequences("plain")


def test_a_killed_run_goes_on_where_it_was(
    automodel_python: Path, library_environment: dict[str, str], chat_tokenizer: Path, tmp_path: Path
) -> None:
    """Killed between two chunks, then between two shards; what was finished by then is not made again."""
    (tmp_path / "chat.jsonl").write_text("".join(map(record, make_chats(3, 4000))))
    chunks_in_all = -(-(tmp_path / "chat.jsonl").stat().st_size // (1 << 19))

    def run(name: str, fault: str = "") -> int:
        out = tmp_path / name
        config = {"input_path": str(tmp_path / "chat.jsonl"), "output_dir": str(out), "num_shards": 6}
        config |= {"tokenizer": {"model": str(chat_tokenizer)}, "pack_size": 256, "workers": 1}
        config |= {"train_ratio": 0.7, "valid_ratio": 0.3, "test_ratio": 0.0}
        attempt = tmp_path / f"attempt {fault or name}"
        attempt.mkdir()
        (attempt / "config.yaml").write_text(yaml.safe_dump(config))
        program = REPOSITORY / "steps" / "data_prep" / "sft_packing" / "step.py"
        return subprocess.run(
            [automodel_python, program, "--config", "config.yaml"],
            cwd=attempt,
            env={**library_environment, "NEMOTRON_FAULT": fault},
            capture_output=True,
            timeout=180,
        ).returncode

    def times(pattern: str) -> dict[Path, int]:
        return {file: file.stat().st_mtime_ns for file in (tmp_path / "killed").glob(pattern)}

    assert run("whole") == 0
    assert run("killed", "kill:7") == -signal.SIGKILL
    chunks = times(".partial/[0-9]*.json")
    assert len(chunks) == 1 < chunks_in_all
    # A chunk passes three boundaries, a shard one.
    assert run("killed", f"kill:{3 * (chunks_in_all - 1) + 4}") == -signal.SIGKILL
    assert chunks.items() <= times(".partial/[0-9]*.json").items()
    shards = times("*/shard_*.parquet")
    assert len(shards) == 3
    assert run("killed") == 0
    assert shards.items() <= times("*/shard_*.parquet").items()
    whole, killed = (
        {file.relative_to(tmp_path / name): file.read_bytes() for file in (tmp_path / name).rglob("*.*")}
        for name in ("whole", "killed")
    )
    assert killed == whole
    assert {str(file) for file in whole} >= {"train.npy", "summary.json", "train/shard_00000.parquet"}
