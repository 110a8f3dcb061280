"""The commands that a host runs which has what this machine lacks."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from small import SmallCatalog

from nemotron.planning.prepared_host import asked_again, upstream_command

UPSTREAM = """
    [upstream]
    argv = ["python", "tool.py", "--config", "{config}", "--nproc={gpus_per_node}", "{overrides}"]
    flags = "args"
    flag_style = "hyphen"
"""
CONFIG = "args: {tp_size: 2, name: a b, off: false, on_it: true, none: null, many: [1, 2]}\n"


@pytest.fixture
def steps(small: SmallCatalog, project: Path) -> SmallCatalog:
    small.step("train/one", UPSTREAM, head="gpus = 8", default=CONFIG, other=CONFIG)
    small.step("train/two", default="a: 1\n")
    return small


def test_a_request_can_be_asked_again(steps: SmallCatalog) -> None:
    assert asked_again(steps.request("train/one")) == "nemotron steps run train/one -c default"
    request = steps.request("train/one", "args.name=it's", "~args.many", config="other", gpus=2, nodes=2)
    words = ["nemotron", "steps", "run", "train/one", "-c", "other", "--gpus", "2", "--nodes", "2"]
    assert shlex.split(asked_again(request)) == [*words, "args.name=it's", "~args.many"]


def test_a_secret_is_not_repeated(steps: SmallCatalog) -> None:
    token = "nvapi-" + "Zy9" * 10
    assert token not in asked_again(steps.request("train/one", f"args.name={token}"))


def test_the_librarys_own_program_gets_the_config_and_its_flags(steps: SmallCatalog) -> None:
    request = steps.request("train/one", "args.tp_size=4", "~args.off", gpus=8, nodes=2)
    words = shlex.split(upstream_command(request, "an/image:1") or "")
    assert words == [
        *("python", "tool.py", "--config", str(request.config.source), "--nproc=4", "args.tp_size=4"),
        *("--tp-size", "4", "--name", "a b", "--on-it", "--many", "1", "2"),
    ]


def test_on_one_host_it_runs_in_the_container(steps: SmallCatalog, project: Path) -> None:
    words = shlex.split(upstream_command(steps.request("train/one"), "an/image:1") or "")
    assert words[:3] == ["docker", "run", "--rm"]
    assert words[words.index("an/image:1") - 1] == str(project)
    assert words[words.index("an/image:1") + 1 :][:2] == ["python", "tool.py"]


def test_a_key_without_a_value_is_a_word_to_replace(steps: SmallCatalog) -> None:
    manifest = '[upstream]\nargv = ["tool", "--to", "{paths.output_dir}", "--from", "{paths.source}"]\n'
    steps.step("train/three", manifest, default="paths:\n  output_dir: null\n  source: ???\n")
    assert upstream_command(steps.request("train/three"), None) == "tool --to OUTPUT_DIR --from SOURCE"


def test_a_step_without_such_a_program_has_no_command(steps: SmallCatalog) -> None:
    assert upstream_command(steps.request("train/two"), "an/image:1") is None
