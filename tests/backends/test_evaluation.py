"""Evaluating: a checkpoint and a real endpoint with the same model answer alike; failures are explained."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from endpoints import misbehaving, transformers_serve
from step_errors import recognised

pytestmark = pytest.mark.training

REPOSITORY = Path(__file__).resolve().parents[2]
SAMPLES = 6
KEY = "sk-test-4f9a8b7c6d5e"
LOADER = """\
import json
from pathlib import Path

import datasets


def load(file, **_):
    lines = (Path(__file__).parent / file).read_text().splitlines()
    return {"test": datasets.Dataset.from_list([json.loads(line) for line in lines])}
"""
TASK = """\
task: {name}
custom_dataset: !function loader.load
dataset_kwargs: {{file: {file}}}
test_split: test
doc_to_text: "{{{{question}}}}"
target_delimiter: " "
metadata: {{version: 3}}
"""
CHOICE = """\
output_type: multiple_choice
doc_to_choice: "{{choices}}"
doc_to_target: "{{answer}}"
metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]
"""
GENERATE = """\
output_type: generate_until
doc_to_target: "{{choices[answer]}}"
generation_kwargs: {until: ["<eos>"], max_gen_toks: 40, do_sample: false, temperature: 0.0}
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]
"""


def write_tasks(folder: Path) -> Path:
    """Tasks whose right answer is the one with even words."""
    folder.mkdir()
    draw = random.Random(5)
    records = []
    for number in range(SAMPLES):
        answer = number % 2
        choices = [" ".join(f"w{2 * draw.randrange(90) + (n != answer)}" for _ in range(3)) for n in (0, 1)]
        question = " ".join(f"w{draw.randrange(199)}" for _ in range(5))
        records.append({"question": question, "choices": choices, "answer": answer})
    (folder / "data.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (folder / "loader.py").write_text(LOADER)
    for name, body, file in (
        ("even_choice", CHOICE, "data.jsonl"),
        ("even_generate", GENERATE, "data.jsonl"),
        ("without_data", CHOICE, "absent.jsonl"),
    ):
        (folder / f"{name}.yaml").write_text(TASK.format(name=name, file=file) + body)
    (folder / "both.yaml").write_text("group: both\ntask: [even_choice, even_generate]\n")
    return folder


class World:
    """What the tests evaluate: a model with a chat template, one without, tasks, and what came out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model = folder / "model"
        self.answers: dict[str, Any] = {}

    def call(self, name: str, **config: Any) -> dict[str, Any]:
        config = {"task_paths": [str(self.folder / "tasks")], "tasks": ["even_generate"], **config}
        config |= {"output_dir": str(self.folder / f"{name}.out")}
        return {
            "call": "job",
            "backend": "evaluation",
            "folder": str(self.folder / f"{name}.job"),
            "config": config,
        }

    def endpoint(self, url: str, kind: str = "chat", **more: Any) -> dict[str, Any]:
        settings = {"url": url, "model": str(self.model), "type": kind, "concurrency": 1, "attempts": 1}
        return {**settings, "timeout_s": 60, **more}

    def error(self, name: str) -> dict[str, Any]:
        return self.answers[name]["error"]

    def results(self, name: str) -> dict[str, Any]:
        assert "outputs" in self.answers[name], self.answers[name]
        return json.loads((self.folder / f"{name}.out" / "results.json").read_text())

    def said(self, name: str) -> list[str]:
        lines = (self.folder / f"{name}.out" / "samples_even_generate.jsonl").read_text().splitlines()
        return [sample["resps"][0][0] for sample in map(json.loads, lines)]


@pytest.fixture(scope="module")
def misbehaving_url() -> Iterator[str]:
    with misbehaving() as url:
        yield url


@pytest.fixture(scope="module")
def world(in_library: Any, word_tokenizer: Path, tmp_path_factory: Any, misbehaving_url: str) -> World:
    """A model and tasks, and every evaluation that needs no real server, made in one process."""
    world = World(tmp_path_factory.mktemp("world"))
    write_tasks(world.folder / "tasks")
    model = str(world.model)
    in_library([{"call": "make_model", "folder": model, "tokenizer": str(word_tokenizer), "seed": 3}])
    shutil.copytree(world.model, world.folder / "plain")
    shutil.copytree(world.model, world.folder / "pickled")
    (world.folder / "pickled" / "model.safetensors").rename(world.folder / "pickled" / "model.bin")
    (world.model / "chat_template.jinja").write_text(
        "{% for m in messages %}w1 {{ m['content'] }} w2 {% endfor %}"
    )
    (world.model / "artifact.json").write_text(json.dumps({"facts": {"model": "abc", "iteration": 7}}))
    chosen: dict[str, dict[str, Any]] = {
        "local": {"model": {"path": model}, "apply_chat_template": True, "log_samples": True},
        "group": {"model": {"path": model}, "tasks": ["both"], "limit": 4},
        "typo": {"model": {"path": model}, "tasks": ["even_choise"]},
        "no_data": {"model": {"path": model}, "tasks": ["without_data"]},
        "no_task_folder": {"model": {"path": model}, "task_paths": ["/nowhere"]},
        "no_template": {"model": {"path": str(world.folder / "plain")}, "apply_chat_template": True},
        "pickled": {"model": {"path": str(world.folder / "pickled")}},
        "nothing": {},
        "two_things": {"model": {"path": model}, "endpoint": world.endpoint("http://127.0.0.1:9/v1")},
        "chat_choice": {"endpoint": world.endpoint("http://127.0.0.1:9/v1"), "tasks": ["even_choice"]},
        "down": {"endpoint": world.endpoint("http://127.0.0.1:9/v1")},
        "no_key": {"endpoint": world.endpoint("http://127.0.0.1:9/v1", api_key_env="NOT_SET_ANYWHERE")},
        "key_inline": {"endpoint": world.endpoint("http://127.0.0.1:9/v1", api_key_env=KEY)},
        "no_model": {"endpoint": {**world.endpoint("http://127.0.0.1:9/v1"), "model": None}},
        "no_tokenizer": {
            "endpoint": world.endpoint(f"{misbehaving_url}/likelihood/v1", "completions"),
            "tasks": ["even_choice"],
        },
        "likelihood": {
            "endpoint": world.endpoint(f"{misbehaving_url}/likelihood/v1", "completions", tokenizer=model),
            "tasks": ["even_choice"],
        },
        "html": {"endpoint": world.endpoint(f"{misbehaving_url}/html/v1")},
    }
    for status in ("401", "404", "429", "503", "then-429", "then-500"):
        chosen[status] = {"endpoint": world.endpoint(f"{misbehaving_url}/{status}/v1")}
    calls = [world.call(name, **config) for name, config in chosen.items()]
    world.answers = dict(zip(chosen, in_library(calls), strict=True))
    return world


def test_a_checkpoint_gets_scores_with_samples_and_errors(world: World) -> None:
    results = world.results("local")
    (row,) = results["results"]
    assert (row["task"], row["metric"], row["samples"]) == ("even_generate", "exact_match", SAMPLES)
    assert 0 <= row["value"] <= 1
    assert row["stderr"] is not None
    assert row["higher_is_better"] is True


def test_the_results_say_what_was_evaluated_and_how(world: World) -> None:
    results = world.results("local")
    facts = {"model": "abc", "iteration": 7}
    assert results["evaluated"] == {"type": "checkpoint_hf", "path": str(world.model), "facts": facts}
    assert results["harness"]["version"]
    assert results["harness"]["tasks"] == {"even_generate": 3}
    assert results["settings"]["apply_chat_template"] is True
    assert len(world.said("local")) == SAMPLES


def test_progress_counts_the_requests(world: World) -> None:
    told = (world.folder / "local.job" / "progress.jsonl").read_text().splitlines()
    last = json.loads(told[-1])
    assert (last["unit"], last["step"], last["total"]) == ("requests", SAMPLES, SAMPLES)


def test_a_group_and_a_limit_are_understood(world: World) -> None:
    rows = {row["task"]: row["samples"] for row in world.results("group")["results"]}
    assert rows == {"even_choice": 4, "even_generate": 4}


def test_probabilities_come_from_a_completions_endpoint(world: World) -> None:
    (row,) = world.results("likelihood")["results"]
    assert (row["task"], row["value"], row["samples"]) == ("even_choice", 1.0, SAMPLES)


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("typo", "NMT261", "there is no task 'even_choise'"),
        ("no_data", "NMT262", "absent.jsonl"),
        ("no_task_folder", "NMT213", "/nowhere"),
        ("no_template", "NMT264", "has no chat template"),
        ("pickled", "NMT702", "model.bin"),
        ("nothing", "NMT260", "exactly one of model.path and endpoint.url"),
        ("two_things", "NMT260", "exactly one of model.path and endpoint.url"),
        ("chat_choice", "NMT263", "even_choice: these tasks need the probabilities"),
        ("down", "NMT630", "http://127.0.0.1:9/v1 does not answer"),
        ("no_key", "NMT610", "NOT_SET_ANYWHERE is not set"),
        ("key_inline", "NMT701", "not the name of an environment variable"),
        ("no_model", "NMT265", "endpoint.model is not set"),
        ("no_tokenizer", "NMT265", "need the model's tokenizer"),
        ("401", "NMT631", "refuses a request without a key"),
        ("404", "NMT634", "answered 404"),
        ("429", "NMT632", "limits the rate"),
        ("503", "NMT633", "answered 503"),
        ("then-429", "NMT632", "limits the rate"),
        ("then-500", "NMT633", "answered 500"),
        ("html", "NMT634", "no OpenAI-compatible service"),
    ],
)
def test_failures_are_explained(world: World, name: str, code: str, says: str) -> None:
    error = world.error(name)
    assert error["code"] == code
    assert says in error["summary"]
    assert KEY not in json.dumps(error)
    assert not (world.folder / f"{name}.out" / "results.json").exists()


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("typo", "unknown_task"),
        ("no_data", "task_data_missing"),
        ("chat_choice", "wrong_endpoint_type"),
        ("no_template", "chat_template_missing"),
        ("down", "endpoint_down"),
        ("401", "endpoint_key_refused"),
        ("no_key", "endpoint_key_refused"),
        ("429", "rate_limited"),
    ],
)
def test_known_errors_are_recognised_in_the_log(world: World, name: str, known: str) -> None:
    assert recognised("eval/model_eval", world.error(name)) == [known]


def test_the_nearest_task_is_suggested(world: World) -> None:
    assert world.error("typo")["fix"] == "did you mean 'even_choice'?"


def test_a_key_that_the_endpoint_refuses_is_printed_nowhere(
    world: World, run_step: Any, misbehaving_url: str, tmp_path: Path
) -> None:
    settings = {"api_key_env": "JUDGE_KEY", "concurrency": 2, "attempts": 2}
    config = world.call("refused")["config"]
    config |= {"endpoint": world.endpoint(f"{misbehaving_url}/then-403/v1", **settings)}
    done = run_step("eval/model_eval", config, JUDGE_KEY=KEY)
    assert done.code == 1
    assert done.read("error.json")["code"] == "NMT631"
    assert "the key in JUDGE_KEY" in done.log
    assert "Authorization" in done.log  # lm-eval does print the request's headers, with the key cut out
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert KEY not in done.log + "".join(file.read_text(errors="replace") for file in files)


@pytest.fixture(scope="module")
def served(
    world: World,
    automodel_python: Path,
    library_environment: dict[str, str],
    in_library: Any,
    tmp_path_factory: Any,
) -> dict[str, Any]:
    """The model behind a real server, evaluated as chat and as plain completions; the server's log."""
    log = tmp_path_factory.mktemp("server") / "log"
    with transformers_serve(automodel_python, world.model, library_environment, log) as url:
        chosen = {
            "chat": {"endpoint": world.endpoint(url), "log_samples": True},
            "completions": {
                "endpoint": world.endpoint(f"{url}/completions", "completions"),
                "log_samples": True,
            },
            "concurrent": {"endpoint": world.endpoint(url, concurrency=3), "limit": 3},
            "other_model": {"endpoint": world.endpoint(url, model="another")},
            "no_echo": {
                "endpoint": world.endpoint(url, "completions", tokenizer=str(world.model)),
                "tasks": ["even_choice"],
            },
        }
        local = {"model": {"path": str(world.model)}, "log_samples": True}
        calls = [world.call(name, **config) for name, config in {**chosen, "local_plain": local}.items()]
        world.answers |= dict(zip([*chosen, "local_plain"], in_library(calls), strict=True))
    return {"url": url, "log": log.read_text()}


def test_a_chat_endpoint_answers_as_the_checkpoint_does(world: World, served: dict[str, Any]) -> None:
    assert world.said("chat") == world.said("local")
    assert world.results("chat")["results"] == world.results("local")["results"]
    evaluated = {"type": "endpoint", "url": served["url"], "model": str(world.model)}
    assert world.results("chat")["evaluated"] == evaluated
    assert served["log"].count('"POST /v1/chat/completions HTTP/1.1" 200') >= SAMPLES


def test_a_completions_endpoint_answers_as_the_checkpoint_does(world: World, served: dict[str, Any]) -> None:
    assert world.said("completions") == world.said("local_plain")
    assert served["log"].count('"POST /v1/completions HTTP/1.1" 200') >= SAMPLES


def test_requests_may_be_concurrent(world: World, served: dict[str, Any]) -> None:
    assert [row["samples"] for row in world.results("concurrent")["results"]] == [3]


@pytest.mark.parametrize(("name", "code"), [("other_model", "NMT634"), ("no_echo", "NMT263")])
def test_what_the_server_does_not_offer_is_explained(
    world: World, served: dict[str, Any], name: str, code: str
) -> None:
    assert world.error(name)["code"] == code


def test_the_names_that_a_check_knows_are_those_of_the_library(
    automodel_python: Path, library_environment: dict[str, str]
) -> None:
    argv = [automodel_python, REPOSITORY / "scripts" / "list_eval_tasks.py"]
    done = subprocess.run(argv, env=library_environment, capture_output=True, text=True, check=True)
    known = REPOSITORY / "steps" / "eval" / "model_eval" / "tasks.txt"
    assert done.stdout == known.read_text(encoding="utf-8")
