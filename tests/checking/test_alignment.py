"""On every edge, equal facts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small import SmallCatalog, chat, checkpoint, codes, position, record, stands, the, write

from nemotron.checking.alignment import facts_agree, facts_are_there, types_fit
from nemotron.diagnostic import Diagnostic, Severity

TRAINER = """
    [[consumes]]
    name = "packs"
    type = "packs"
    at = "data"
    many = true
    required = false
    [consumes.facts]
    pack_size = ["pack_size", "model.seq_length"]
    tokenizer = "model.tokenizer"
    pad_multiple = { multiple_of = "pad" }

    [[consumes]]
    name = "chat"
    type = "chat_jsonl"
    at = "chat"
    required = false
    facts = { record = { value = "messages" } }

    [[consumes]]
    name = "base"
    type = "checkpoint_hf"
    at = "base"
    required = false
    [consumes.facts]
    chat_template = { unless = "template" }
    max_positions = { at_least = "model.seq_length" }
    vocab_size = { at_most = "vocab" }

    [[consumes]]
    name = "adapter"
    type = "checkpoint_lora"
    at = "adapter"
    required = false
    facts = { base_model = { same_as = "base.model" } }

    [[produces]]
    type = "checkpoint_hf"
    at = "output"
    facts = { pack_size = ["made.one", "made.two"] }
"""
CONFIG = """
    data: null
    chat: null
    base: null
    adapter: null
    template: null
    pad: null
    vocab: null
    pack_size: null
    model:
      seq_length: null
      tokenizer: null
    made: {one: null, two: null}
"""


@pytest.fixture
def trainer(small: SmallCatalog, project: Path) -> SmallCatalog:
    small.step("train/one", TRAINER, default=CONFIG)
    return small


def found(catalog: SmallCatalog, *overrides: str) -> list[Diagnostic]:
    request = catalog.request("train/one", *overrides)
    return [*facts_agree(request), *facts_are_there(request)]


def packs(folder: Path, **facts: str | int) -> Path:
    record(write(folder / "part.parquet", folder.name).parent, "packs", **facts)
    return folder


def test_equal_facts_are_no_problem(trainer: SmallCatalog, project: Path) -> None:
    base = checkpoint(project / "base")
    packs(project / "packs", pack_size=32, pad_multiple=16, tokenizer=trainer_tokenizer(base))
    arguments = ["data=packs", "base=base", "pack_size=32", "model.seq_length=32", "pad=8", "vocab=16"]
    assert found(trainer, *arguments, "model.tokenizer=base", "made.one=1", "made.two=1") == []


def trainer_tokenizer(folder: Path) -> str:
    from nemotron.artifacts.digest import tokenizer_digest

    digest = tokenizer_digest(folder)
    assert digest is not None
    return digest


def test_a_fact_that_a_key_states_otherwise_is_an_error_at_the_key(
    trainer: SmallCatalog, project: Path
) -> None:
    packs(project / "packs", pack_size=64)
    problem = the(found(trainer, "data=packs", "pack_size=32", "model.seq_length=64"), "NMT301")
    assert problem.severity is Severity.ERROR
    assert problem.summary == "the pack size of 'packs' differs: packs has 64, pack_size has 32"
    assert problem.where is not None
    assert problem.where.argument == "pack_size=32"
    assert [(r.place.file, r.note) for r in problem.related] == [
        (str(project / "packs" / "artifact.json"), "packs has 64")
    ]
    assert problem.fix == "pack_size=64"
    assert found(trainer, "data=packs", "pack_size=64", "model.seq_length=64") == []


def test_a_tokenizer_is_set_to_that_of_the_checkpoint(trainer: SmallCatalog, project: Path) -> None:
    checkpoint(project / "base")
    write(checkpoint(project / "other") / "tokenizer.json", '{"model": {"vocab": {"b": 1}}}')
    trainer.step(
        "train/two",
        """
        [[consumes]]
        name = "base"
        type = "checkpoint_hf"
        at = "base"
        facts = { tokenizer = "tok" }
        """,
        default="base: null\ntok: null\n",
    )
    request = trainer.request("train/two", "base=base", "tok=other")
    problem = the(facts_agree(request), "NMT301")
    assert problem.fix == "tok=base"
    assert list(facts_agree(trainer.request("train/two", "base=base", problem.fix))) == []


def test_the_keys_of_a_config_file_have_their_place(trainer: SmallCatalog, project: Path) -> None:
    file = write(project / "c.yaml", "data: packs\npack_size: 32\nmodel:\n  seq_length: 64\n")
    packs(project / "packs")
    request = trainer.request("train/one", config=str(file))
    problem = the(facts_agree(request), "NMT301")
    assert stands(problem.where) == position(file, "seq_length")
    assert [stands(r.place) for r in problem.related] == [position(file, "pack_size")]


def test_a_key_that_refers_to_another_is_not_at_fault_too(trainer: SmallCatalog, project: Path) -> None:
    packs(project / "packs", pack_size=64)
    problem = the(found(trainer, "data=packs", "pack_size=32", "model.seq_length=${pack_size}"), "NMT301")
    assert problem.fix == "pack_size=64"


@pytest.mark.parametrize("key", ["pack_size=null", "pack_size=???", "pack_size=many"])
def test_a_key_without_a_value_states_nothing(trainer: SmallCatalog, project: Path, key: str) -> None:
    packs(project / "packs", pack_size=64)
    assert found(trainer, "data=packs", key) == []


def test_every_source_of_a_port_is_compared(trainer: SmallCatalog, project: Path) -> None:
    for name, size in (("a", 64), ("b", 64), ("c", 32)):
        packs(project / name, pack_size=size)
    problem = the(found(trainer, "data=[a, b, c]"), "NMT301")
    assert problem.summary == "the pack size of 'packs' differs: a has 64, c has 32"
    assert problem.where is not None
    assert problem.where.file == str(project / "c" / "artifact.json")


def test_a_constant_is_compared_with_what_the_artifact_records(trainer: SmallCatalog, project: Path) -> None:
    record(chat(project / "text.jsonl"), "raw_jsonl", record="text")
    record(chat(project / "chat.jsonl"), "chat_jsonl", record="messages")
    chat(project / "plain.jsonl")
    assert found(trainer, "chat=chat.jsonl") == found(trainer, "chat=plain.jsonl") == []
    problem = the(found(trainer, "chat=text.jsonl"), "NMT301")
    assert problem.summary == "the record of 'chat' differs: text.jsonl has text, train/one takes messages"
    assert problem.where is not None
    assert problem.where.argument == "chat=text.jsonl"
    assert problem.related[0].place.file == str(project / "text.jsonl.artifact.json")
    assert problem.fix == "give one whose record is messages"


LIMITS = [
    ("base=base", "model.seq_length=64", None),
    (
        "base=base",
        "model.seq_length=65",
        "the max positions of 'base' is 64; it must be at least model.seq_length, which is 65",
    ),
    ("base=base", "vocab=16", None),
    ("base=base", "vocab=15", "the vocab size of 'base' is 16; it must be at most vocab, which is 15"),
    ("data=packs", "pad=4", None),
    ("data=packs", "pad=5", "the pad multiple of 'packs' is 16; it must be a multiple of pad, which is 5"),
    ("data=packs", "pad=0", "the pad multiple of 'packs' is 16; it must be a multiple of pad, which is 0"),
    ("base=base", "vocab=null", None),
]


@pytest.mark.parametrize(("given", "limit", "summary"), LIMITS)
def test_a_fact_beyond_a_limit_is_an_error_at_the_limit(
    trainer: SmallCatalog, project: Path, given: str, limit: str, summary: str | None
) -> None:
    checkpoint(project / "base")
    packs(project / "packs", pad_multiple=16)
    problems = found(trainer, given, limit)
    if summary is None:
        assert problems == []
        return
    problem = the(problems, "NMT303")
    assert (problem.severity, problem.summary) == (Severity.ERROR, summary)
    assert problem.where is not None
    assert problem.where.argument == limit
    assert problem.fix.startswith(f"change {limit.split('=')[0]}, or give another")


def test_each_source_is_held_to_the_limit(trainer: SmallCatalog, project: Path) -> None:
    packs(project / "a", pad_multiple=16)
    packs(project / "b", pad_multiple=12)
    assert codes(found(trainer, "data=[a, b]", "pad=8")) == ["NMT301", "NMT303"]


def test_a_fact_that_must_be_there_is_missed(trainer: SmallCatalog, project: Path) -> None:
    checkpoint(project / "base", template=None)
    problem = the(found(trainer, "base=base"), "NMT304")
    assert (problem.severity, problem.summary) == (Severity.ERROR, "base has no chat template")
    assert problem.where is not None
    assert problem.where.argument == "base=base"
    assert problem.fix == "use a checkpoint that has one, or set template=…"


@pytest.mark.parametrize(
    "arguments", [["base=base", "template='{{ x }}'"], ["base=org/name"], ["base=absent"]]
)
def test_a_fact_that_a_key_gives_or_nobody_can_know_is_not_missed(
    trainer: SmallCatalog, project: Path, arguments: list[str]
) -> None:
    checkpoint(project / "base", template=None)
    assert found(trainer, *arguments) == []


def adapter(folder: Path, base: str) -> Path:
    return write(folder / "adapter_config.json", json.dumps({"base_model_name_or_path": base})).parent


def test_an_adapter_goes_into_its_own_base_only(trainer: SmallCatalog, project: Path) -> None:
    base, other = checkpoint(project / "base"), checkpoint(project / "other")
    adapter(project / "own", str(base))
    adapter(project / "foreign", str(other))
    assert found(trainer, "base=base", "adapter=own") == []
    problem = the(found(trainer, "base=base", "adapter=foreign"), "NMT301")
    assert problem.summary.startswith("the base model of 'adapter' differs: foreign has ")
    assert problem.summary.split(", ")[1].startswith("base has ")
    assert problem.where is not None
    assert problem.where.argument == "base=base"


@pytest.mark.parametrize("base", ["base", "org/other"])
def test_a_name_cannot_be_compared_with_files(trainer: SmallCatalog, project: Path, base: str) -> None:
    checkpoint(project / "base")
    adapter(project / "adapter", "org/base")
    problem = the(found(trainer, f"base={base}", "adapter=adapter"), "NMT305")
    assert problem.severity is Severity.NOTE
    assert (
        problem.summary
        == "the base model of 'adapter' cannot be compared: org/base@main is not on this machine"
    )


def test_one_name_on_a_hub_equals_itself(trainer: SmallCatalog, project: Path) -> None:
    adapter(project / "adapter", "org/base")
    assert found(trainer, "base=org/base", "adapter=adapter") == []


def test_the_keys_of_an_output_agree_among_themselves(trainer: SmallCatalog) -> None:
    problem = the(found(trainer, "made.one=1", "made.two=2"), "NMT301")
    assert problem.summary == "the pack size of 'checkpoint_hf' differs: made.one has 1, made.two has 2"


TYPES = [
    ("chat=made", "chat_jsonl", None),
    ("chat=made", "raw_jsonl", None),
    ("chat=made", "of-another-catalog", None),
    ("chat=made", "packs", "give an artifact of type chat_jsonl"),
    ("base=made", "checkpoint_lora", "convert it first: nemotron steps run convert/merge"),
    ("base=made", "checkpoint_hf", None),
]


@pytest.mark.parametrize(("argument", "kind", "fix"), TYPES)
def test_an_artifact_of_another_type_is_an_error(
    trainer: SmallCatalog, project: Path, argument: str, kind: str, fix: str | None
) -> None:
    record(write(project / "made" / "x", "1").parent, kind)
    found = list(types_fit(trainer.request("train/one", argument)))
    if fix is None:
        assert found == []
        return
    problem = the(found, "NMT302")
    port, wanted = ("chat", "chat_jsonl") if argument.startswith("chat") else ("base", "checkpoint_hf")
    assert (problem.severity, problem.fix) == (Severity.ERROR, fix)
    assert problem.summary == f"made is {kind}, and '{port}' takes {wanted}"
    assert problem.where is not None
    assert problem.where.argument == argument
    assert [r.place.file for r in problem.related] == [str(project / "made" / "artifact.json")]


def test_a_file_of_an_artifact_is_known_by_the_record_of_the_whole(
    trainer: SmallCatalog, project: Path
) -> None:
    packs(project / "packs", pack_size=64)
    problem = the(found(trainer, "data=packs/part.parquet", "pack_size=32"), "NMT301")
    assert [r.place.file for r in problem.related] == [str(project / "packs" / "artifact.json")]


def test_a_digest_is_shown_short(trainer: SmallCatalog, project: Path) -> None:
    base = checkpoint(project / "base")
    packs(project / "packs", tokenizer="f" * 64)
    problem = the(found(trainer, "data=packs", "model.tokenizer=base"), "NMT301")
    digest = trainer_tokenizer(base)
    assert (
        problem.summary
        == f"the tokenizer of 'packs' differs: packs has {'f' * 12}, model.tokenizer has {digest[:12]}"
    )
