"""What must not happen: secrets in configs, pickled weights, outputs over inputs."""

from __future__ import annotations

from pathlib import Path

import pytest
from small import SmallCatalog, chat, checkpoint, position, stands, the, write

from nemotron.checking.render import as_dict, render
from nemotron.checking.safety import (
    inlined_secrets,
    outputs_over_inputs,
    pickle_checkpoints,
    remote_code_is_pinned,
)
from nemotron.diagnostic import Diagnostic, Severity

PORTS = """
    [[consumes]]
    name = "data"
    type = "chat_jsonl"
    at = "data"
    required = false
    [[consumes]]
    name = "base"
    type = "checkpoint_hf"
    at = "base"
    required = false
    [[consumes]]
    name = "megatron"
    type = "checkpoint_megatron"
    at = "megatron"
    required = false
    [[produces]]
    type = "checkpoint_hf"
    at = "output"
"""
TOKEN = "nvapi-" + "Zy9" * 10


@pytest.fixture
def trainer(small: SmallCatalog, project: Path) -> SmallCatalog:
    types = small.root / "types.toml"
    write(types, types.read_text(encoding="utf-8") + '\n[types.checkpoint_megatron]\ndescription = ""\n')
    small.step("train/one", PORTS, default="data: null\nbase: null\nmegatron: null\noutput: null\n")
    return small


SECRETS = [
    ("a.api_key=hunter2", "a.api_key"),
    ("password='hunter2 with more'", "password"),
    (f"anything=see {TOKEN}", "anything"),
    (f"listed=[x, {TOKEN}]", "listed.1"),
    ("hf_token=[hunter2]", "hf_token.0"),
    ("run.env_vars.MY_API_KEY=hunter2", "run.env_vars.MY_API_KEY"),
    (f"run.env_vars.X={TOKEN}", "run.env_vars.X"),
]


@pytest.mark.parametrize(("argument", "key"), SECRETS)
def test_a_secret_in_an_argument_is_an_error_that_does_not_show_it(
    trainer: SmallCatalog, argument: str, key: str
) -> None:
    problem = the(inlined_secrets(trainer.request("train/one", argument)), "NMT701")
    assert (problem.severity, problem.summary) == (Severity.ERROR, f"'{key}' holds what looks like a secret")
    assert problem.fix == "put it into an environment variable and write ${oc.env:NAME}"
    _shows_no_secret(problem)


@pytest.mark.parametrize(
    "line",
    [
        "api_key: hunter2",
        "api_key: 'hunter2'  # mine",
        f"x: {TOKEN}",
        "{api_key: hunter2, b: 1}",
        "api_key: |\n    hunter2",
    ],
)
def test_a_secret_in_a_file_is_an_error_that_does_not_show_it(
    trainer: SmallCatalog, project: Path, line: str
) -> None:
    file = write(project / "c.yaml", f"judge:\n  {line}\n")
    problem = the(inlined_secrets(trainer.request("train/one", config=str(file))), "NMT701")
    assert stands(problem.where) == position(file, "x:" if line.startswith("x") else "api_key")
    _shows_no_secret(problem)


def _shows_no_secret(problem: Diagnostic) -> None:
    shown = render([problem]) + str(as_dict(problem))
    assert "hunter2" not in shown
    assert TOKEN not in shown


@pytest.mark.parametrize(
    "argument", ["api_key=${oc.env:MY_KEY}", "api_key=null", "max_tokens=5", "api_key_env=KEY"]
)
def test_a_reference_is_no_secret(trainer: SmallCatalog, argument: str) -> None:
    assert list(inlined_secrets(trainer.request("train/one", argument))) == []


def test_a_secret_that_the_environment_puts_in_is_one(
    trainer: SmallCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLAINLY_NAMED", TOKEN)
    problem = the(inlined_secrets(trainer.request("train/one", "x=${oc.env:PLAINLY_NAMED}")), "NMT701")
    _shows_no_secret(problem)


PICKLED = [
    (["pytorch_model.bin"], "pytorch_model.bin"),
    (["b.pt", "a.ckpt"], "a.ckpt"),
    (["adapter_model.bin", "training_args.bin"], "adapter_model.bin"),
    (["pytorch_model.bin", "model.safetensors"], None),
    (["training_args.bin", "optimizer.pt"], None),
    (["config.json"], None),
]


@pytest.mark.parametrize(("files", "named"), PICKLED)
def test_pickled_weights_without_others_are_an_error(
    trainer: SmallCatalog, project: Path, files: list[str], named: str | None
) -> None:
    for name in files:
        write(project / "base" / name, "x")
    found = list(pickle_checkpoints(trainer.request("train/one", "base=base")))
    if named is None:
        assert found == []
        return
    problem = the(found, "NMT702")
    assert problem.summary == f"base holds pickled weights ({named}), which are not loaded"
    assert problem.where is not None
    assert problem.where.argument == "base=base"
    assert problem.fix == "save the model as safetensors: model.save_pretrained(FOLDER)"


def test_a_file_of_pickled_weights_is_an_error(trainer: SmallCatalog, project: Path) -> None:
    write(project / "model.pt", "x")
    assert the(pickle_checkpoints(trainer.request("train/one", "base=model.pt")), "NMT702")


def test_megatron_checkpoints_and_data_may_be_pickled(trainer: SmallCatalog, project: Path) -> None:
    write(project / "m" / "common.pt", "x")
    request = trainer.request("train/one", "megatron=m", "data=m", "base=org/name")
    assert list(pickle_checkpoints(request)) == []


def test_an_iteration_of_megatrons_is_its_librarys_to_load(trainer: SmallCatalog, project: Path) -> None:
    write(project / "run" / "iter_0000010" / "common.pt", "x")
    assert list(pickle_checkpoints(trainer.request("train/one", "base=run/iter_0000010"))) == []


OVER = [
    ("output=base", True),
    ("output=./x/../base", True),
    ("output=.", True),
    ("output=link", True),
    ("output=base/new", False),
    ("output=elsewhere", False),
    ("output=base2", False),
]


@pytest.mark.parametrize(("argument", "over"), OVER)
def test_an_output_over_an_input_is_an_error(
    trainer: SmallCatalog, project: Path, argument: str, over: bool
) -> None:
    checkpoint(project / "base")
    (project / "link").symlink_to(project / "base")
    found = list(outputs_over_inputs(trainer.request("train/one", "base=base", argument)))
    if not over:
        assert found == []
        return
    problem = the(found, "NMT703")
    assert problem.summary == "the output 'output' would write over the input 'base'"
    assert problem.where is not None
    assert problem.where.argument == argument
    assert problem.fix == "name another folder, or leave output out"


def test_an_output_above_what_a_wildcard_matches_is_an_error(trainer: SmallCatalog, project: Path) -> None:
    chat(project / "d" / "a.jsonl")
    assert the(outputs_over_inputs(trainer.request("train/one", "data=d/*.jsonl", "output=d")), "NMT703")


REMOTE = "base: null\nmodel:\n  trust_remote_code: true\n  revision: null\n"


def test_unpinned_remote_code_is_a_warning_at_its_key(trainer: SmallCatalog, project: Path) -> None:
    file = write(project / "own.yaml", REMOTE)
    request = trainer.request("train/one", "base=some/model", config=str(file))
    problem = the(remote_code_is_pinned(request), "NMT705")
    assert problem.severity is Severity.WARNING
    assert stands(problem.where) == position(file, "trust_remote_code")


@pytest.mark.parametrize(
    "arguments",
    [
        ["base=some/model", "model.trust_remote_code=false"],
        ["base=some/model", f"model.revision={'ab' * 20}"],
        ["base=here"],
        [],
    ],
)
def test_pinned_or_local_code_is_no_problem(
    trainer: SmallCatalog, project: Path, arguments: list[str]
) -> None:
    checkpoint(project / "here")
    file = write(project / "own.yaml", REMOTE)
    assert list(remote_code_is_pinned(trainer.request("train/one", *arguments, config=str(file)))) == []


def test_a_branch_is_not_pinned(trainer: SmallCatalog, project: Path) -> None:
    file = write(project / "own.yaml", REMOTE)
    request = trainer.request("train/one", "base=some/model", "model.revision=main", config=str(file))
    assert the(remote_code_is_pinned(request), "NMT705").severity is Severity.WARNING
