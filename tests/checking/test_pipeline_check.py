"""Everything that is wrong with a pipeline at once: of each step, and on every edge."""

from __future__ import annotations

from pathlib import Path

from at_hand import CATALOG, at_hand
from envs import env_toml
from small import codes, position, stands, the, write

from nemotron.checking.pipeline_check import check_pipeline
from nemotron.diagnostic import Diagnostic
from nemotron.planning.pipeline import read_pipeline

__all__ = ["at_hand"]
PACKED = """
    version: 1
    have:
      chat: {type: training_jsonl, path: chat.jsonl}
      base: {type: checkpoint_hf, path: base}
    steps:
      pack:
        step: data_prep/sft_packing
        inputs: {training_jsonl: chat}
        set: {pack_size: 4096, tokenizer.model: base}
      sft:
        step: sft/megatron_bridge
        inputs: {packed_parquet: pack, base: base}
        set: {tokenizer.tokenizer_model: base}
        gpus: 8
"""


def errors(folder: Path, text: str = PACKED) -> list[Diagnostic]:
    file = write(folder / "p.yaml", text)
    _, found = check_pipeline(read_pipeline(file, CATALOG), CATALOG)
    return [problem for problem in found if problem.severity == "error"]


def test_a_pipeline_whose_facts_agree_has_no_error(at_hand: Path) -> None:
    assert errors(at_hand) == []


def test_facts_that_differ_along_an_edge_are_an_error(at_hand: Path) -> None:
    found = errors(at_hand, PACKED.replace("pack_size: 4096", "pack_size: 2048"))
    assert set(codes(found)) == {"NMT301"}
    assert all(problem.summary.startswith("sft: ") for problem in found)
    assert any("2048" in problem.summary and "4096" in problem.summary for problem in found)


def test_a_type_that_does_not_fit_its_port_is_an_error(at_hand: Path) -> None:
    text = PACKED.replace("inputs: {training_jsonl: chat}", "inputs: {training_jsonl: base}")
    assert errors(at_hand, text) != []


def test_problems_of_several_steps_come_together_with_their_places(at_hand: Path) -> None:
    text = PACKED.replace("pack_size: 4096", "pack_sise: 4096").replace(
        "gpus: 8", "gpus: 8\n        nodes: 3"
    )
    text = text.replace("set: {tokenizer.tokenizer_model: base}", "set: {tokenizer.tokenizer_modl: base}")
    found = errors(at_hand, text)
    assert {problem.summary.split(":")[0] for problem in found} == {"pack", "sft"}
    places = [stands(problem.where) for problem in found]
    file = at_hand / "p.yaml"
    assert position(file, "pack_sise") in places
    assert position(file, "tokenizer.tokenizer_modl") in places


def test_a_have_that_is_open_is_named(at_hand: Path) -> None:
    file = write(at_hand / "p.yaml", PACKED.replace("path: chat.jsonl", 'path: "???"'))
    _, found = check_pipeline(read_pipeline(file, CATALOG), CATALOG)
    open_have = [problem for problem in found if problem.summary == "the have 'chat' is not said yet"]
    assert the(open_have, "NMT208").severity == "blocked"


def test_each_problem_is_told_once_and_the_worst_first(at_hand: Path) -> None:
    file = write(at_hand / "p.yaml", PACKED.replace("pack_size: 4096", "pack_size: 0"))
    _, found = check_pipeline(read_pipeline(file, CATALOG), CATALOG)
    assert len(set(found)) == len(found)
    assert found == sorted(found, key=Diagnostic.sort_key)


PAIRS = """
    version: 1
    have:
      seed: {type: training_jsonl, path: chat.jsonl}
    steps:
      sdg:
        step: sdg/data_designer
        inputs: {seed: seed}
      prep:
        step: data_prep/rl_prep
        inputs: {preference_jsonl: sdg.preference_jsonl}
"""


def test_an_output_that_the_producer_s_config_does_not_make_is_an_error(at_hand: Path) -> None:
    problem = the(errors(at_hand, PAIRS), "NMT309")
    assert "prep takes sdg.preference_jsonl" in problem.summary
    assert stands(problem.where) == position(at_hand / "p.yaml", "preference_jsonl: sdg")
    assert problem.related[0].place.file.endswith("default.yaml")
    assert problem.fix == "output_projection.type=dpo_preference for sdg"


def test_with_the_config_that_makes_it_there_is_none(at_hand: Path) -> None:
    text = PAIRS.replace("step: sdg/data_designer", "step: sdg/data_designer\n        config: rl_pref")
    assert errors(at_hand, text) == []


WRITTEN = """
    version: 1
    want: translated_mcq_benchmark_parquet
    have:
      docs: {type: benchmark_source_corpus, path: docs}
    steps:
      mcq:
        step: byob/mcq
        inputs: {benchmark_source_corpus: docs}
"""


def test_what_the_file_wants_and_no_step_makes_is_an_error(at_hand: Path) -> None:
    write(at_hand / "docs" / "a.md", "Press the red button.")
    problem = the(errors(at_hand, WRITTEN), "NMT309")
    assert problem.summary.endswith("which mcq does not make: target_language is not set")
    assert stands(problem.where) == position(at_hand / "p.yaml", "want")
    assert problem.fix == "target_language=VALUE for mcq"
    for language in ("th", '"???"'):
        assert errors(at_hand, f"{WRITTEN}        set: {{target_language: {language}}}\n") == []
    assert errors(at_hand, WRITTEN.replace("want: translated_", "want: ")) == []
    pairs = PAIRS.replace("version: 1", "version: 1\n    want: preference_jsonl")
    assert codes(errors(at_hand, pairs)) == ["NMT309"]  # rl_prep makes it, of what sdg does not make


def test_steps_of_one_run_in_two_places_are_an_error(at_hand: Path) -> None:
    keys = 'executor = "slurm"\nremote_job_dir = "/shared"\n'
    env_toml(at_hand, f'[one]\n{keys}[two]\nhost = "b"\n{keys}[here]\n[me]\nuser = "b"\n{keys}')
    file = at_hand / "p.yaml"
    apart = PACKED.replace("gpus: 8", "gpus: 8\n        profile: one")
    problem = the(errors(at_hand, apart), "NMT628")
    assert stands(problem.where) == position(file, "profile")
    assert "sft runs through slurm" in problem.summary
    step = "step: data_prep/sft_packing"
    for other, count in (("one", 0), ("two", 1), ("here", 1), ("me", 1)):
        found = errors(at_hand, apart.replace(step, f"{step}\n        profile: {other}"))
        assert codes(found).count("NMT628") == count
    assert errors(at_hand, PACKED.replace(step, f"{step}\n        profile: here")) == []
