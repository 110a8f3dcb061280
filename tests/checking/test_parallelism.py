"""The layout of a config against its model, its batch, its data and its GPUs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from small import SmallCatalog, codes, position, record, stands, the, write

from nemotron.checking import parallelism
from nemotron.diagnostic import Diagnostic, Severity

LAYOUT = """
    [[consumes]]
    type = "packs"
    at = "data.path"
    required = false

    [[consumes]]
    name = "base"
    type = "checkpoint_hf"
    at = "base"
    required = false

    [parallelism]
    rules = "{rules}"
    fine_tuning = true
    model = "base"
    tensor = "model.tp"
    pipeline = "model.pp"
    context = "model.cp"
    expert = "model.ep"
    expert_tensor = "model.etp"
    virtual_pipeline = "model.vp"
    first_stage_layers = "model.first"
    sequence_parallel = "model.sp"
    per_token_loss = "model.per_token"
    average_in_collective = "ddp.average"
    micro_batch = "train.mbs"
    global_batch = "train.gbs"
    seq_length = "model.seq"
    packed = "data.path"
    {more}
"""
CONFIG = """\
base: model
model:
  tp: 1
  pp: 1
  cp: 1
  ep: 1
  etp: null
  vp: null
  first: null
  sp: false
  seq: 4096
  per_token: null
ddp: {average: null}
train:
  mbs: 1
  gbs: 8
data: {path: null}
replicate: 1
cut: null
"""
DENSE = {"num_hidden_layers": 36, "num_attention_heads": 32, "num_key_value_heads": 8}
DENSE |= {"intermediate_size": 12288, "vocab_size": 151936}
MOE = {**DENSE, "num_experts": 64, "moe_intermediate_size": 768}
HYBRID = {**DENSE, "mamba_num_heads": 48, "n_groups": 8}


@pytest.fixture
def trainers(small: SmallCatalog, project: Path) -> SmallCatalog:
    small.step("train/megatron", LAYOUT.format(rules="megatron_core", more=""), default=CONFIG)
    more = 'data_replicate = "replicate"\npipeline_micro_batch = "cut"'.replace("\n", "\n    ")
    small.step("train/fsdp", LAYOUT.format(rules="fsdp2", more=more), default=CONFIG)
    return small


def found(
    catalog: SmallCatalog, *overrides: str, step: str = "train/megatron", **wish: Any
) -> list[Diagnostic]:
    request = catalog.request(step, *overrides, **{"gpus": 8, **wish})
    rules = (
        parallelism.sizes_are_sizes,
        parallelism.layout_is_legal,
        parallelism.model_shape_is_known,
        parallelism.gpus_are_spread_evenly,
        parallelism.packs_fit_the_layout,
    )
    return [problem for rule in rules for problem in rule(request)]


def a_model(project: Path, config: dict[str, Any]) -> None:
    write(project / "model" / "config.json", json.dumps(config))


def offers(problem: Diagnostic) -> list[list[str]]:
    """The arguments of each proposal of a fix."""
    return [offer.split(" ") for offer in problem.fix.removeprefix("one of: ").split(" | ")]


# Model, arguments, GPUs, the codes that must be found and the key at fault of the first.
CASES = [
    (DENSE, ["model.tp=3"], 8, ["NMT401", "NMT402", "NMT404", "NMT405", "NMT410"], "model.tp=3"),
    (DENSE, ["model.pp=5"], 8, ["NMT401", "NMT402", "NMT411"], "model.pp=5"),
    (DENSE, ["model.tp=8", "model.cp=2"], 8, ["NMT401", "NMT418", "NMT419"], "model.tp=8"),
    (MOE, ["model.ep=16"], 8, ["NMT402"], "model.ep=16"),
    (MOE, ["model.tp=8", "model.sp=true", "model.ep=2"], 8, ["NMT402"], "model.ep=2"),
    (DENSE, ["train.gbs=12"], 8, ["NMT403"], "train.gbs=12"),
    (DENSE, ["train.mbs=3", "train.gbs=32"], 8, ["NMT403"], "train.gbs=32"),
    ({**DENSE, "num_attention_heads": 36}, ["model.tp=8"], 8, ["NMT404"], "model.tp=8"),
    ({**DENSE, "num_key_value_heads": 6}, ["model.tp=4"], 8, ["NMT405"], "model.tp=4"),
    ({**DENSE, "intermediate_size": 12290}, ["model.tp=4"], 8, ["NMT406"], "model.tp=4"),
    ({**MOE, "moe_intermediate_size": 769}, ["model.etp=2"], 8, ["NMT407"], "model.etp=2"),
    ({**MOE, "num_experts": 60}, ["model.ep=8"], 8, ["NMT408"], "model.ep=8"),
    (DENSE, ["model.ep=2"], 8, ["NMT409"], "model.ep=2"),
    ({**DENSE, "vocab_size": 50257}, ["model.tp=4"], 8, ["NMT410"], "model.tp=4"),
    (DENSE, ["model.pp=8"], 8, ["NMT411"], "model.pp=8"),
    (DENSE, ["model.pp=2", "model.vp=4"], 8, ["NMT412"], "model.vp=4"),
    (DENSE, ["model.vp=2"], 8, ["NMT413"], "model.vp=2"),
    (DENSE, ["model.pp=2", "model.vp=2", "train.gbs=12"], 8, ["NMT413"], "model.vp=2"),
    (DENSE, ["model.sp=true"], 8, ["NMT414"], "model.sp=true"),
    (DENSE, ["model.sp=true", "model.tp=8", "model.seq=4098"], 8, ["NMT415"], "model.seq=4098"),
    (MOE, ["model.tp=2"], 8, ["NMT416"], "model.sp=false"),
    (
        DENSE,
        ["model.cp=2", "model.seq=4098", "model.per_token=true", "ddp.average=false"],
        8,
        ["NMT417"],
        "model.seq=4098",
    ),
    (DENSE, ["model.cp=2", "ddp.average=false"], 8, ["NMT418"], "model.per_token=null"),
    (DENSE, ["model.cp=2", "model.per_token=true"], 8, ["NMT419"], "ddp.average=null"),
    ({**HYBRID, "mamba_num_heads": 36}, ["model.tp=8"], 8, ["NMT420"], "model.tp=8"),
    ({**HYBRID, "n_groups": 4}, ["model.tp=8"], 8, ["NMT421"], "model.tp=8"),
    (
        HYBRID,
        ["model.tp=8", "model.cp=4", "model.per_token=true", "ddp.average=false"],
        32,
        ["NMT422"],
        "model.cp=4",
    ),
    (HYBRID, ["model.pp=2", "model.vp=2"], 8, ["NMT423"], "model.vp=2"),
    (DENSE, ["data.path=packs", "train.mbs=2", "train.gbs=16"], 8, ["NMT424"], "train.mbs=2"),
]


@pytest.mark.parametrize(("model", "arguments", "gpus", "expected", "fault"), CASES)
def test_each_rule_of_megatron_names_the_key_and_a_layout_that_passes(
    trainers: SmallCatalog,
    project: Path,
    model: dict[str, Any],
    arguments: list[str],
    gpus: int,
    expected: list[str],
    fault: str,
) -> None:
    a_model(project, model)
    # The others stand in a file, so that every key at fault has a line and a column.
    file = a_config(project, arguments)
    problems = found(trainers, config=str(file), gpus=gpus)
    assert codes(problems) == expected
    first = problems[0]
    assert first.severity is Severity.ERROR
    assert stands(first.where) == position(file, f"{fault.split('.')[-1].replace('=', ': ')}")
    assert_every_offer_passes(trainers, first, file, gpus)


def a_config(project: Path, arguments: list[str]) -> Path:
    """The default config with values set in its text."""
    text = CONFIG
    for argument in arguments:
        key, _, value = argument.partition("=")
        name = key.split(".")[-1]
        before, _, after = text.partition(f"{name}: ")
        rest = after.lstrip("0123456789abcdefghijklmnopqrstuvwxyz")
        assert rest != after, key
        text = f"{before}{name}: {value}{rest}"
    return write(project / "own.yaml", text)


def assert_every_offer_passes(
    trainers: SmallCatalog, problem: Diagnostic, file: Path, gpus: int, step: str = "train/megatron"
) -> None:
    for offer in offers(problem):
        if offer[0] == "--gpus":
            assert found(trainers, config=str(file), gpus=int(offer[1]), step=step) == []
        else:
            assert found(trainers, *offer, config=str(file), gpus=gpus, step=step) == []


@pytest.mark.parametrize(
    ("arguments", "expected", "fault"),
    [
        (["model.tp=3"], ["NMT401", "NMT404", "NMT405"], "tp: 3"),
        (["model.ep=3"], ["NMT402"], "ep: 3"),
        (["train.gbs=12"], ["NMT403"], "gbs: 12"),
        (["model.pp=48"], ["NMT411"], "pp: 48"),
        (["replicate=3"], ["NMT425"], "replicate: 3"),
        (["replicate=8"], ["NMT425"], "replicate: 8"),
        (["model.pp=2", "cut=2", "train.mbs=3", "train.gbs=12"], ["NMT427"], "cut: 2"),
    ],
)
def test_each_rule_of_fsdp2(
    trainers: SmallCatalog, project: Path, arguments: list[str], expected: list[str], fault: str
) -> None:
    a_model(project, DENSE)
    gpus = 48 if "model.pp=48" in arguments else 8
    file = a_config(project, arguments)
    problems = found(trainers, config=str(file), gpus=gpus, step="train/fsdp")
    assert codes(problems) == expected
    assert stands(problems[0].where) == position(file, fault)
    assert_every_offer_passes(trainers, problems[0], file, gpus, "train/fsdp")


def test_an_argument_at_fault_is_underlined(trainers: SmallCatalog, project: Path) -> None:
    a_model(project, DENSE)
    problem = the(found(trainers, "model.tp=16"), "NMT401")
    assert problem.where is not None
    assert (problem.where.argument, problem.where.length) == ("model.tp=16", len("model.tp=16"))


def test_stages_of_their_own_need_no_equal_layers(trainers: SmallCatalog, project: Path) -> None:
    a_model(project, DENSE)
    assert codes(found(trainers, "model.pp=8")) == ["NMT411"]
    assert found(trainers, "model.pp=8", "model.first=1") == []


@pytest.mark.parametrize(
    ("argument", "code"), [("model.tp=two", "NMT220"), ("model.tp=0", "NMT220"), ("model.sp=1", "NMT220")]
)
def test_a_size_that_is_none(trainers: SmallCatalog, project: Path, argument: str, code: str) -> None:
    a_model(project, DENSE)
    problem = the(found(trainers, argument), code)
    assert problem.where is not None
    assert problem.where.argument == argument


def test_an_unknown_model_gives_a_note_and_the_other_rules(trainers: SmallCatalog, project: Path) -> None:
    problems = found(trainers, "base=somebody/something", "model.tp=3")
    assert codes(problems) == ["NMT401", "NMT402", "NMT431"]
    assert problems[-1].severity is Severity.NOTE
    assert "somebody/something" in problems[-1].summary


def test_a_public_model_is_known_by_its_name(trainers: SmallCatalog, project: Path) -> None:
    assert codes(found(trainers, "base=Qwen/Qwen3-8B", "model.tp=8", "model.pp=1")) == []
    assert "NMT411" in codes(found(trainers, "base=Qwen/Qwen3-8B", "model.pp=8"))


def test_gpus_that_nodes_cannot_share(trainers: SmallCatalog, project: Path) -> None:
    a_model(project, DENSE)
    problem = the(found(trainers, gpus=8, nodes=3), "NMT429")
    assert problem.fix == "--gpus 6"


def test_tensor_parallel_over_nodes_is_a_warning(trainers: SmallCatalog, project: Path) -> None:
    a_model(project, DENSE)
    problem = the(found(trainers, "model.tp=8", gpus=16, nodes=4), "NMT430")
    assert problem.severity is Severity.WARNING
    assert found(trainers, problem.fix.split(",")[0], gpus=16, nodes=4, config="default") != [problem]
    assert found(trainers, "model.tp=4", "train.gbs=16", gpus=16, nodes=4) == []


def test_packs_are_padded_for_the_layout(trainers: SmallCatalog, project: Path) -> None:
    a_model(project, DENSE)
    file = record(write(project / "packs" / "a.parquet", "x").parent, "packs", pad_multiple=8)
    tuned = ["model.per_token=true", "ddp.average=false", "data.path=packs"]
    assert found(trainers, *tuned, "model.cp=4", "train.gbs=8") == []
    wide = ["model.cp=4", "model.tp=4", "model.sp=true"]
    problem = the(found(trainers, *tuned, *wide, gpus=16), "NMT428")
    assert problem.summary == "packs is padded to multiples of 8; this layout needs 16"
    assert problem.fix == "pack again with pad_multiple=16"
    assert problem.related[0].place.file == str(file)
