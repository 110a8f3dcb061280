"""Running jobs: a step's own process, or many calls in one process of the library's Python (one import)."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
WORDS = 199


@dataclass(frozen=True)
class Finished:
    """What a job left: its exit code, what it printed, the files that it wrote in the attempt's folder."""

    code: int
    log: str
    folder: Path

    def read(self, name: str) -> Any:
        return json.loads((self.folder / name).read_text(encoding="utf-8"))

    @property
    def progress(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "progress.jsonl").read_text().splitlines()]


RunStep = Callable[..., Finished]
InLibrary = Callable[[list[dict[str, Any]]], list[Any]]


@pytest.fixture(scope="session")
def library_environment() -> dict[str, str]:
    """The environment of a job: nothing of the hub, one thread, our code on PYTHONPATH."""
    return {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY / "src"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "NO_PROXY": "127.0.0.1",
    }


@pytest.fixture
def run_step(automodel_python: Path, library_environment: dict[str, str], tmp_path: Path) -> RunStep:
    """Run the `step.py` of a step as its own process, as the runner does."""

    def run(step: str, config: dict[str, Any], *, timeout: float = 180, **env: str) -> Finished:
        folder = tmp_path / "attempt"
        folder.mkdir()
        (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        done = subprocess.run(
            [automodel_python, REPOSITORY / "steps" / step / "step.py", "--config", "config.yaml"],
            cwd=folder,
            env={**library_environment, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )
        return Finished(done.returncode, done.stdout, folder)

    return run


@pytest.fixture(scope="session")
def in_library(
    automodel_python: Path, library_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> InLibrary:
    """Make calls of `library_calls.py` in one process of the library's Python; their results."""
    return _caller(automodel_python, library_environment, tmp_path_factory)


@pytest.fixture(scope="session")
def in_megatron(
    megatron_python: Path, library_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> InLibrary:
    """The same in the environment of Megatron-Bridge, whose imports alone take ten seconds and more."""
    return _caller(megatron_python, library_environment, tmp_path_factory)


def _caller(python: Path, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> InLibrary:
    def call(requests: list[dict[str, Any]]) -> list[Any]:
        folder = tmp_path_factory.mktemp("calls")
        (folder / "requests.json").write_text(json.dumps(requests), encoding="utf-8")
        done = subprocess.run(
            [python, Path(__file__).with_name("library_calls.py"), folder],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout
        answers: list[Any] = json.loads((folder / "answers.json").read_text(encoding="utf-8"))
        return answers

    return call


@pytest.fixture(scope="session")
def word_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer whose tokens are plain to see: the word `w7` has the id 7; BOS is 200, EOS 201."""
    folder = tmp_path_factory.mktemp("word_tokenizer")
    vocabulary = {f"w{number}": number for number in range(WORDS)}
    vocabulary |= {"abcdef": WORDS}  # transformers encodes it to find out where stop strings end
    vocabulary |= {"<bos>": WORDS + 1, "<eos>": WORDS + 2}
    special = {"lstrip": False, "rstrip": False, "normalized": False, "single_word": False, "special": True}
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": vocabulary[name], "content": name, **special} for name in ("<bos>", "<eos>")],
        "normalizer": None,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "w0"},
    }
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<bos>",
        "eos_token": "<eos>",
        "pad_token": "<eos>",
        "model_max_length": 512,
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder
