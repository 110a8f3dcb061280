"""The pipeline file, read: its links, its order, its places, and the requests of its steps."""

from __future__ import annotations

from pathlib import Path

import pytest
from at_hand import CATALOG
from envs import env_toml
from small import failure, failures, position, stands, write

from nemotron.planning.pipeline import missing_haves, read_pipeline, requests
from nemotron.profiles.load import load_profile

pytestmark = pytest.mark.usefixtures("at_hand")
WHOLE = """
    version: 1
    want: checkpoint_hf
    have:
      pairs: {type: preference_jsonl, path: pairs.jsonl}
      base: {type: checkpoint_hf, path: base}
    steps:
      dpo:
        step: rl/nemo_rl/dpo
        inputs: {train: prep.preference_train, validation: prep.preference_validation, policy: base}
        set: {dpo.max_num_steps: 7}
        gpus: 8
      prep:
        step: data_prep/rl_prep
        inputs: {preference_jsonl: pairs}
"""


def pipeline_file(folder: Path, text: str = WHOLE) -> Path:
    return write(folder / "pipeline.yaml", text)


def test_steps_come_in_an_order_in_which_they_can_run(at_hand: Path) -> None:
    pipeline = read_pipeline(pipeline_file(at_hand), CATALOG)
    assert [step.name for step in pipeline.steps] == ["prep", "dpo"]
    assert pipeline.before("dpo") == {"prep"}
    assert pipeline.before("prep") == set()


def test_requests_have_what_is_bound_and_set(at_hand: Path) -> None:
    prep, dpo = requests(read_pipeline(pipeline_file(at_hand), CATALOG), CATALOG)
    assert prep.name == "prep"
    assert prep.config.document.get("preference_path") == str(at_hand / "pairs.jsonl")
    assert dpo.config.document.get("dpo.max_num_steps") == 7
    assert dpo.config.document.get("data.train.data_path") == "step:prep.preference_train"
    assert (dpo.gpus, dpo.promises["step:prep.preference_train"].facts["splits"]) == (8, "train")


def test_what_is_made_takes_the_place_of_its_promise(at_hand: Path) -> None:
    pipeline = read_pipeline(pipeline_file(at_hand), CATALOG)
    made = {"prep.preference_train": str(at_hand / "train.jsonl")}
    _, dpo = requests(pipeline, CATALOG, made, gpus=4)
    assert dpo.config.document.get("data.train.data_path") == str(at_hand / "train.jsonl")
    assert dpo.config.document.get("data.validation.data_path") == "step:prep.preference_validation"
    assert dpo.gpus == 4


def test_a_step_with_one_output_is_named_alone(at_hand: Path) -> None:
    text = """
        version: 1
        have: {web: {type: raw_jsonl, path: web.jsonl}}
        steps:
          curate: {step: curate/nemo_curator, inputs: {raw_jsonl: web}}
          prep: {step: data_prep/pretrain_prep, inputs: {filtered_jsonl: curate}}
    """
    pipeline = read_pipeline(pipeline_file(at_hand, text), CATALOG)
    assert str(pipeline.step("prep").inputs["filtered_jsonl"][0]) == "curate.filtered_jsonl"


@pytest.mark.parametrize(
    ("before", "after", "code", "at", "fix"),
    [
        ("policy: base}", "policy: bass}", "NMT271", "policy: bass", "did you mean 'base'?"),
        ("policy: base}", "polcy: base}", "NMT274", "polcy: base", "did you mean 'policy'?"),
        (
            "train: prep.preference_train",
            "train: prep",
            "NMT274",
            "train: prep",
            "one of: prep.preference_train",
        ),
        ("prep.preference_validation", "prep.validation", "NMT274", "validation: prep", "one of: prep."),
        (
            "step: rl/nemo_rl/dpo",
            "step: rl/nemo_rl/dop",
            "NMT110",
            "step: rl",
            "did you mean 'rl/nemo_rl/dpo'?",
        ),
        ("preference_jsonl: pairs}", "preference_jsonl: dpo}", "NMT272", "dpo:", ""),
    ],
)
def test_a_wrong_link_is_reported_where_it_stands(
    at_hand: Path, before: str, after: str, code: str, at: str, fix: str
) -> None:
    assert before in WHOLE
    file = pipeline_file(at_hand, WHOLE.replace(before, after))
    found = failure(lambda: read_pipeline(file, CATALOG))
    assert found.code == code
    assert found.fix.startswith(fix)
    assert stands(found.where) == position(file, at)


def test_every_wrong_link_is_told_at_once(at_hand: Path) -> None:
    text = WHOLE.replace("policy: base", "policy: bass").replace("preference_jsonl: pairs", "nothing: pears")
    found = failures(lambda: read_pipeline(pipeline_file(at_hand, text), CATALOG))
    assert sorted(problem.code for problem in found) == ["NMT271", "NMT271", "NMT274"]


def test_a_file_that_is_not_there_is_reported(at_hand: Path) -> None:
    pipeline_file(at_hand)
    found = failure(lambda: read_pipeline(at_hand / "pipelin.yaml", CATALOG))
    assert (found.code, found.fix) == ("NMT213", "did you mean 'pipeline.yaml'?")


def test_what_is_still_open_blocks_where_it_stands(at_hand: Path) -> None:
    text = WHOLE.replace("path: base", 'path: "???"').replace(
        "    steps:\n", '    hardware: {gpus_per_node: "???"}\n    steps:\n'
    )
    file = pipeline_file(at_hand, text)
    have, hardware = missing_haves(read_pipeline(file, CATALOG))
    assert (have.code, hardware.code) == ("NMT208", "NMT208")
    assert stands(have.where) == position(file, "base: {")
    assert stands(hardware.where) == position(file, "gpus_per_node")


def test_a_wrong_value_of_a_step_has_its_place_in_the_file(at_hand: Path) -> None:
    file = pipeline_file(at_hand)
    *_, dpo = requests(read_pipeline(file, CATALOG), CATALOG)
    assert stands(dpo.config.document.place("dpo.max_num_steps")) == position(file, "dpo.max_num_steps")


def test_a_step_runs_on_its_own_profile_else_on_that_of_the_whole_pipeline(
    at_hand: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NEMOTRON_ENV_FILE", raising=False)
    env_toml(at_hand, "[small]\ngpus_per_node = 2\n[large]\ngpus_per_node = 4\nnodes = 2\n")
    text = WHOLE.replace("gpus: 8", "profile: large")
    pipeline = read_pipeline(pipeline_file(at_hand, text), CATALOG)
    prep, dpo = requests(pipeline, CATALOG)
    assert (prep.profile, dpo.profile and dpo.profile.name, dpo.gpus, dpo.nodes) == (None, "large", 8, 2)
    pipeline.profile = load_profile("small")
    prep, dpo = requests(pipeline, CATALOG)
    assert [request.profile.name for request in (prep, dpo) if request.profile] == ["small", "large"]


def test_the_hardware_of_the_file_says_how_many_gpus_a_step_gets(at_hand: Path) -> None:
    text = WHOLE.replace("        gpus: 8\n", "").replace(
        "want:", "hardware: {nodes: 2, gpus_per_node: 4}\n    want:"
    )
    prep, dpo = requests(read_pipeline(pipeline_file(at_hand, text), CATALOG), CATALOG)
    assert [(prep.gpus, prep.nodes), (dpo.gpus, dpo.nodes)] == [(0, 1), (8, 2)]


def test_an_unknown_profile_has_its_place_in_the_file(at_hand: Path) -> None:
    file = pipeline_file(at_hand, WHOLE.replace("gpus: 8", "profile: nowhere"))
    pipeline = read_pipeline(file, CATALOG)
    problem = failure(lambda: list(requests(pipeline, CATALOG)))
    assert (problem.code, stands(problem.where)) == ("NMT613", position(file, "profile"))


def test_a_request_knows_where_the_file_says_how_many_gpus_it_gets(at_hand: Path) -> None:
    offered = WHOLE.replace("        gpus: 8\n", "").replace(
        "    have:", "    hardware: {gpus_per_node: 4}\n    have:"
    )
    for text, said in ((WHOLE, "gpus: 8"), (offered, "gpus_per_node: 4")):
        file = pipeline_file(at_hand, text)
        prep, dpo = requests(read_pipeline(file, CATALOG), CATALOG)
        assert prep.gpus_at is None
        assert dpo.gpus_at is not None
        assert dpo.gpus_at.file == str(file)
        assert said in file.read_text().splitlines()[(dpo.gpus_at.line or 0) - 1]
    _, named = requests(read_pipeline(file, CATALOG), CATALOG, gpus=2)
    assert named.gpus_at is None
