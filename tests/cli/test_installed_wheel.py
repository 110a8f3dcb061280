"""The command line as an installed package, away from any checkout: its catalog and locks come with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from catalogs.helpers import REPOSITORY, tree_of

from nemotron.libraries import uv

Installed = Callable[..., "subprocess.CompletedProcess[str]"]


def run_uv(*arguments: Path | str) -> None:
    """Run uv as a person would, not as the one that runs these tests."""
    outside = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    subprocess.run([str(uv.program()), *map(str, arguments)], check=True, env=outside)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel; what the wheel needs is found in the one of these tests."""
    folder = tmp_path_factory.mktemp("installed")
    python = folder / "env" / "bin" / "python"
    run_uv("build", "--quiet", "--wheel", "--out-dir", folder / "dist", REPOSITORY)
    run_uv("venv", "--quiet", "--python", sys.executable, folder / "env")
    wheel = next((folder / "dist").glob("*.whl"))
    run_uv("pip", "install", "--quiet", "--no-deps", "--python", python, wheel)
    packages = next((folder / "env" / "lib").glob("python*/site-packages"))
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return folder / "env"


@pytest.fixture
def package(environment: Path) -> Path:
    return next(environment.glob("lib/python*/site-packages/nemotron"))


@pytest.fixture
def installed(environment: Path, project: Path) -> Installed:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        argv = [str(environment / "bin" / "nemotron"), *arguments]
        return subprocess.run(argv, cwd=project, capture_output=True, text=True, timeout=60)

    return run


def test_the_wheel_s_catalog_is_the_checkout_s(installed: Installed, package: Path) -> None:
    told = json.loads(installed("steps", "list", "--json").stdout)
    steps = REPOSITORY / "steps"
    expected = {file.parent.relative_to(steps).as_posix() for file in steps.rglob("step.toml")}
    assert {step["id"] for step in told["steps"]} == expected
    shown = json.loads(installed("steps", "show", "sft/automodel", "--json").stdout)
    assert shown["folder"] == str(package / "_catalog" / "sft" / "automodel")
    assert "tiny" in shown["configs"]


def test_the_wheel_has_the_locks_of_the_libraries(installed: Installed) -> None:
    told = json.loads(installed("library", "list", "--json").stdout)
    assert "automodel" in [library["name"] for library in told["libraries"]]


def test_the_wheel_has_what_a_plan_says_to_read(installed: Installed, chat: Path, package: Path) -> None:
    wish = ("--have", "chat.jsonl", "--model", "Qwen/Qwen3-8B", "--want", "checkpoint_lora", "--gpus", "1")
    told = json.loads(installed("pipeline", "plan", *wish, "-o", "plan.yaml", "--json").stdout)
    assert (told["decision"], told["warnings"]) == (["peft/automodel"], [])
    assert told["read"] == [str(package / "references" / "context" / "automodel-tuning.md")]
    schema = package / "references" / "schemas" / "pipeline.json"
    assert told["pipeline"].startswith(f"# yaml-language-server: $schema={schema}\n")


def test_a_new_config_goes_to_the_project_and_is_found_there(
    installed: Installed, project: Path, package: Path
) -> None:
    before = tree_of(package / "_catalog")
    ended = installed("steps", "new-config", "sft/automodel", "mine", "step_scheduler.max_steps=70")
    file = project / "configs" / "sft" / "automodel" / "mine.yaml"
    assert (ended.returncode, ended.stderr) == (0, "")
    assert yaml.safe_load(file.read_text(encoding="utf-8"))["step_scheduler"] == {"max_steps": 70}
    assert tree_of(package / "_catalog") == before
    dry_run = ("sft/automodel", "-c", "mine", "--dry-run", "--json")
    told = json.loads(installed("steps", "run", *dry_run).stdout)
    assert told["config"] == str(file)
    assert {problem["code"] for problem in told["diagnostics"]} <= {"NMT208", "NMT601", "NMT620"}
    again = installed("steps", "new-config", "sft/automodel", "mine")
    assert again.returncode == 2
    assert "NMT209" in again.stderr


def test_a_step_runs(installed: Installed, chat: Path, project: Path, package: Path) -> None:
    before = tree_of(package / "_catalog")
    ended = installed("steps", "run", "word_count", "data=chat.jsonl", "output=out")
    assert ended.returncode == 0, ended.stderr
    counts = json.loads((project / "out" / "counts.json").read_text(encoding="utf-8"))
    assert counts == {"user": 9, "assistant": 6}
    assert tree_of(package / "_catalog") == before
