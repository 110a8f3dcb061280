"""Preparing pretraining data: what is in the shards is what was in the documents, whoever wrote them."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest
from step_errors import recognised

pytestmark = pytest.mark.training

BOS, EOS = 200, 201
DOCUMENTS = 300
JOBS: dict[str, dict[str, Any]] = {
    "plain": {},
    "three_workers": {"workers": 3},
    "other_seed": {"split_seed": 2},
    "gzip": {"input_path": "text.jsonl.gz"},
    "parquet": {"input_path": "text.parquet", "text_field": "body"},
    "weighted": {"input_path": [{"path": "text.jsonl", "weight": 3}, {"path": "more.jsonl", "weight": 1}]},
    "special_tokens": {"tokenizer": {"add_bos": True, "add_eos": False}, "dtype": "int32"},
    "split": {"max_doc_tokens": 6, "overlong": "split"},
    "truncate": {"max_doc_tokens": 6, "overlong": "truncate"},
    "drop": {"max_doc_tokens": 6, "overlong": "drop"},
    "long_only": {"min_doc_chars": 60},
    "bad_line": {"input_path": "bad.jsonl", "workers": 2},
    "no_column": {"input_path": "text.parquet"},
    "no_tokenizer": {"tokenizer": {"model": "/nowhere/tokenizer"}},
    "broken_tokenizer": {"tokenizer": {"model": "not_a_tokenizer"}},
    "nothing_left": {"min_doc_chars": 100_000},
    "few_documents": {"input_path": "few.jsonl"},
    "no_train": {"num_shards": 2},
    "no_room": {"max_doc_tokens": 1},
    "not_empty": {"output_dir": "taken"},
}


def make_texts(seed: int, count: int) -> list[str]:
    """Different texts of 1 to 30 words."""
    draw = random.Random(seed)
    found: set[str] = set()
    while len(found) < count:
        found.add(" ".join(f"w{draw.randrange(199)}" for _ in range(draw.randint(1, 30))))
    return sorted(found)


def tokens_of(text: str) -> list[int]:
    return [int(word[1:]) for word in text.split()]


TEXTS, MORE = make_texts(1, DOCUMENTS), make_texts(2, 100)


class Prepared:
    """What the jobs left: the answer of each, and the documents in its shards."""

    def __init__(self, folder: Path, answers: dict[str, Any]) -> None:
        self.folder = folder
        self.answers = answers

    def error(self, name: str) -> dict[str, Any]:
        return self.answers[name]["error"]

    def facts(self, name: str) -> dict[str, Any]:
        (output,) = self.answers[name]["outputs"]
        assert output["port"] == "binidx"
        return output["facts"]

    def blend(self, name: str) -> dict[str, list[str]]:
        return json.loads((self.folder / name / "out" / "blend.json").read_text())

    def counts(self, name: str) -> dict[str, int]:
        return json.loads((self.folder / name / "out" / "summary.json").read_text())["counts"]

    def files(self, name: str) -> dict[str, bytes]:
        out = self.folder / name / "out"
        return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*.*") if p.suffix != ".json"}

    def documents(self, name: str) -> dict[str, list[list[int]]]:
        """Shard → its documents, read off the bytes of .bin by the lengths in .idx."""
        out = self.folder / name / "out"
        return {str(p.relative_to(out).with_suffix("")): read_shard(p) for p in sorted(out.rglob("*.idx"))}

    def everything(self, name: str) -> list[list[int]]:
        return sorted(document for shard in self.documents(name).values() for document in shard)


def read_shard(index: Path) -> list[list[int]]:
    content, tokens = index.read_bytes(), index.with_suffix(".bin").read_bytes()
    size = {8: 2, 4: 4}[content[17]]
    count = int.from_bytes(content[18:26], "little")
    lengths = [int.from_bytes(content[34 + 4 * n : 38 + 4 * n], "little") for n in range(count)]
    found, at = [], 0
    for length in lengths:
        piece = tokens[at : at + length * size]
        found.append([int.from_bytes(piece[n : n + size], "little") for n in range(0, len(piece), size)])
        at += length * size
    assert at == len(tokens)
    return found


def write_inputs(folder: Path) -> None:
    def lines(name: str, texts: list[str]) -> bytes:
        content = "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()
        (folder / name).write_bytes(content)
        return content

    content = lines("text.jsonl", TEXTS)
    lines("more.jsonl", MORE)
    lines("few.jsonl", TEXTS[:2])
    (folder / "text.jsonl.gz").write_bytes(gzip.compress(content))
    (folder / "bad.jsonl").write_bytes(content + b'{"text": oops}\n' + content)
    (folder / "not_a_tokenizer").mkdir()
    (folder / "taken").mkdir()
    (folder / "taken" / "weights.safetensors").write_text("somebody's")


def job_call(folder: Path, name: str, tokenizer: Path) -> dict[str, Any]:
    changed = dict(JOBS[name])
    chosen = {"model": str(tokenizer), **changed.pop("tokenizer", {})}
    if chosen["model"] == "not_a_tokenizer":
        chosen["model"] = str(folder / "not_a_tokenizer")
    config = {"input_path": "text.jsonl", "num_shards": 8, "valid_shards": 1, "test_shards": 1, "workers": 1}
    config |= {"split_seed": 1, "output_dir": f"{name}/out", **changed, "tokenizer": chosen}
    inputs = config["input_path"]
    config["input_path"] = (
        [{**entry, "path": str(folder / entry["path"])} for entry in inputs]
        if isinstance(inputs, list)
        else str(folder / inputs)
    )
    config["output_dir"] = str(folder / config["output_dir"])
    constants = {"SMALLEST_CHUNK": 2000}
    return {
        "call": "job",
        "backend": "pretrain_prep",
        "folder": str(folder / name),
        "config": config,
        "constants": constants,
    }


@pytest.fixture(scope="module")
def prepared(in_library: Any, word_tokenizer: Path, tmp_path_factory: Any) -> Prepared:
    folder = tmp_path_factory.mktemp("prepared")
    write_inputs(folder)
    parquet = {"call": "write_parquet", "file": str(folder / "text.parquet"), "rows_per_group": 70}
    rows = [{"body": text, "id": number} for number, text in enumerate(TEXTS)]
    calls = [{**parquet, "rows": rows}, *(job_call(folder, name, word_tokenizer) for name in JOBS)]
    prefix = str(folder / "plain" / "out" / "train_00000")
    calls.append({"call": "read_binidx", "prefix": prefix})
    _, *answers = in_library(calls)
    return Prepared(folder, dict(zip([*JOBS, "read"], answers, strict=True)))


def test_the_shards_hold_the_tokens_of_every_document_once(prepared: Prepared) -> None:
    assert prepared.everything("plain") == sorted([*tokens_of(text), EOS] for text in TEXTS)


def test_the_library_reads_the_same_tokens_back(prepared: Prepared) -> None:
    read = prepared.answers["read"]
    assert read["documents"] == prepared.documents("plain")["train_00000"]
    assert read["document_indices"] == list(range(len(read["documents"]) + 1))
    assert read["dtype"] == "uint16"


def test_the_result_does_not_depend_on_the_number_of_workers(prepared: Prepared) -> None:
    assert prepared.files("three_workers") == prepared.files("plain")


def test_documents_are_shuffled_by_the_seed(prepared: Prepared) -> None:
    assert prepared.everything("other_seed") == prepared.everything("plain")
    assert prepared.documents("other_seed") != prepared.documents("plain")
    shard = prepared.documents("plain")["train_00000"]
    in_order = [[*tokens_of(text), EOS] for text in TEXTS]
    assert [in_order.index(document) for document in shard] != sorted(map(in_order.index, shard))


@pytest.mark.parametrize("kind", ["gzip", "parquet"])
def test_formats_give_the_same_documents_in_the_same_shards(prepared: Prepared, kind: str) -> None:
    def by_shard(name: str) -> dict[str, list[list[int]]]:
        return {shard: sorted(documents) for shard, documents in prepared.documents(name).items()}

    assert by_shard(kind) == by_shard("plain")


def test_the_facts_are_what_was_written(prepared: Prepared) -> None:
    expected = sum(len(tokens_of(text)) + 1 for text in TEXTS)
    facts = {"tokens": expected, "documents": DOCUMENTS, "dtype": "uint16", "splits": "train,valid,test"}
    assert prepared.facts("plain") == facts


def test_the_blend_names_every_shard_with_its_tokens(prepared: Prepared) -> None:
    blend, shards = prepared.blend("plain"), prepared.documents("plain")
    assert list(blend) == ["train", "valid", "test"]
    train = dict(zip(blend["train"][1::2], blend["train"][::2], strict=True))
    assert train == {
        name: str(sum(map(len, documents))) for name, documents in shards.items() if name.startswith("train")
    }
    assert (blend["valid"], blend["test"]) == (["valid_00000"], ["test_00000"])


def test_weights_are_shared_among_the_shards_of_an_input(prepared: Prepared) -> None:
    train = prepared.blend("weighted")["train"]
    weights = dict(zip(train[1::2], map(float, train[::2]), strict=True))
    for folder, weight in (("00-text/", 3), ("01-more/", 1)):
        assert sum(w for name, w in weights.items() if name.startswith(folder)) == pytest.approx(weight)
    assert len(weights) == 12
    expected = [[*tokens_of(text), EOS] for text in TEXTS + MORE]
    assert prepared.everything("weighted") == sorted(expected)


def test_special_tokens_and_dtype_are_as_asked(prepared: Prepared) -> None:
    assert prepared.everything("special_tokens") == sorted([BOS, *tokens_of(text)] for text in TEXTS)
    assert prepared.facts("special_tokens")["dtype"] == "int32"


def test_long_documents_are_split_without_loss(prepared: Prepared) -> None:
    pieces = prepared.everything("split")
    assert max(map(len, pieces)) == 6
    assert all(piece[-1] == EOS for piece in pieces)
    whole = sorted(token for text in TEXTS for token in tokens_of(text))
    assert sorted(token for piece in pieces for token in piece[:-1]) == whole


def test_long_documents_are_truncated(prepared: Prepared) -> None:
    assert prepared.everything("truncate") == sorted([*tokens_of(text)[:5], EOS] for text in TEXTS)
    lost = sum(max(0, len(tokens_of(text)) - 5) for text in TEXTS)
    assert prepared.counts("truncate")["tokens_cut_off"] == lost


def test_long_documents_are_dropped_and_counted(prepared: Prepared) -> None:
    short = [tokens_of(text) for text in TEXTS if len(tokens_of(text)) <= 5]
    assert prepared.everything("drop") == sorted([*tokens, EOS] for tokens in short)
    assert prepared.counts("drop")["documents_overlong"] == DOCUMENTS - len(short)


def test_short_documents_are_left_out_and_counted(prepared: Prepared) -> None:
    kept = [text for text in TEXTS if len(text) >= 60]
    assert prepared.everything("long_only") == sorted([*tokens_of(text), EOS] for text in kept)
    assert prepared.counts("long_only")["documents_too_short"] == DOCUMENTS - len(kept)


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("no_column", "NMT215", "there is no column 'text': it has body, id"),
        ("no_tokenizer", "NMT244", "there is no tokenizer at /nowhere/tokenizer"),
        ("broken_tokenizer", "NMT244", "cannot be loaded"),
        ("nothing_left", "NMT246", "none of 300 documents is left"),
        ("few_documents", "NMT245", "2 documents are few for 8 shards"),
        ("no_train", "NMT245", "no shard is left to train on"),
        ("no_room", "NMT247", "leaves no room for text"),
        ("not_empty", "NMT704", "it holds weights.safetensors"),
    ],
)
def test_bad_input_is_explained(prepared: Prepared, name: str, code: str, says: str) -> None:
    error = prepared.error(name)
    assert error["code"] == code
    assert says in error["summary"]


def test_a_bad_line_in_a_later_chunk_is_named_by_its_number(prepared: Prepared) -> None:
    error = prepared.error("bad_line")
    assert (error["code"], error["line"]) == ("NMT215", DOCUMENTS + 1)
    assert error["file"] == str(prepared.folder / "bad.jsonl")


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("bad_line", "unusable_record"),
        ("no_tokenizer", "tokenizer_not_loaded"),
        ("few_documents", "split_without_documents"),
        ("nothing_left", "nothing_left"),
    ],
)
def test_known_errors_are_recognised_in_the_log(prepared: Prepared, name: str, known: str) -> None:
    assert recognised("data_prep/pretrain_prep", prepared.error(name)) == [known]


def test_a_failed_job_leaves_neither_a_blend_nor_what_it_spilled(prepared: Prepared) -> None:
    assert not any((prepared.folder / "bad_line" / "out").iterdir())


def test_the_step_runs_as_a_process_and_reports_progress(
    run_step: Any, word_tokenizer: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    config = {
        "input_path": str(tmp_path / "text.jsonl"),
        "output_dir": str(tmp_path / "out"),
        "tokenizer": {"model": str(word_tokenizer)},
        "num_shards": 4,
        "valid_shards": 1,
        "test_shards": 0,
    }
    done = run_step("data_prep/pretrain_prep", config)
    assert done.code == 0, done.log
    (output,) = done.read("outputs.json")
    assert (output["port"], output["path"]) == ("binidx", str(tmp_path / "out"))
    assert output["facts"]["splits"] == "train,valid"
    assert [(line["unit"], line["step"] == line["total"]) for line in done.progress][-2:] == [
        ("KiB", True),
        ("shards", True),
    ]
    assert all("tokens_per_s" in line for line in done.progress if line["unit"] == "KiB")
