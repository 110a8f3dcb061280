"""The command as a whole: its help, its version, and the exit code of everything that can go wrong in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from catalogs.helpers import Nemotron

import nemotron as package

COMMANDS = [
    ("steps", "list"),
    ("steps", "show"),
    ("steps", "run"),
    ("steps", "new-config"),
    ("library", "list"),
    ("library", "install"),
    ("explain",),
]


def test_the_version_is_the_package_s(nemotron: Nemotron) -> None:
    ended = nemotron("--version")
    assert (ended.returncode, ended.stdout) == (0, f"nemotron {package.__version__}\n")


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_s_help_ends_with_an_example_of_it(nemotron: Nemotron, words: tuple[str, ...]) -> None:
    ended = nemotron(*words, "--help", env={"COLUMNS": "200"})
    assert ended.returncode == 0
    assert "Usage: nemotron " + " ".join(words) in ended.stdout
    assert "Example" in ended.stdout
    assert f"`nemotron {' '.join(words)}" in ended.stdout.split("Example")[1]


def test_the_help_names_every_command_and_where_to_start(nemotron: Nemotron) -> None:
    shown = nemotron("-h").stdout
    assert all(word in shown for word in ("steps", "library", "explain"))
    assert "nemotron steps list" in shown


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["stpes"], "steps"),
        (["steps", "rnu"], "run"),
        (["steps", "run", "x", "--dry-rnu"], "--dry-run"),
        (["steps", "run", "x", "--gpus", "many"], "many"),
        (["steps", "run", "x", "--gpus", "-1"], "-1"),
        (["steps", "run"], "step"),
        (["library", "install", "automodel", "--torch", "tpu"], "tpu"),
    ],
)
def test_a_wrong_command_line_is_explained_on_stderr(
    nemotron: Nemotron, words: list[str], named: str
) -> None:
    ended = nemotron(*words)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("Usage: nemotron")
    assert named in ended.stderr.splitlines()[-1].lower()


def test_a_wrong_command_line_is_one_json_document_too(nemotron: Nemotron) -> None:
    ended = nemotron("steps", "run", "x", "--json", "--no-such-option")
    told = json.loads(ended.stdout)
    assert (ended.returncode, told["exit_code"]) == (2, 2)
    assert [problem["code"] for problem in told["diagnostics"]] == ["NMT200"]
    assert "--no-such-option" in told["diagnostics"][0]["summary"]


Break = Callable[[str], dict[str, str]]


@pytest.fixture
def break_catalog(tmp_path: Path) -> Break:
    """The environment in which the catalog cannot be opened, for the reason that a Python statement gives."""

    def broken(statement: str) -> dict[str, str]:
        folder = tmp_path / "broken"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(
            "import nemotron.catalog.catalog as catalog\n"
            f"def default_catalog():\n    {statement}\n"
            "catalog.default_catalog = default_catalog\n",
            encoding="utf-8",
        )
        python_path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
        return {"PYTHONPATH": python_path, "NEMOTRON_CACHE": str(tmp_path / "cache")}

    return broken


def test_a_bug_of_ours_names_the_log_to_report(
    nemotron: Nemotron, break_catalog: Break, tmp_path: Path
) -> None:
    ended = nemotron("steps", "list", env=break_catalog("raise RuntimeError('a wheel came off')"))
    assert ended.returncode == 70
    logs = list((tmp_path / "cache").glob("crash-*.log"))
    assert [str(log) in ended.stderr for log in logs] == [True]
    assert "a wheel came off" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "RuntimeError: a wheel came off" in logs[0].read_text(encoding="utf-8")


def test_a_bug_whose_log_cannot_be_written_is_shown_whole(
    nemotron: Nemotron, break_catalog: Break, tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("a file", encoding="utf-8")
    ended = nemotron("steps", "show", "x", "--json", env=break_catalog("raise RuntimeError('no')"))
    assert (ended.returncode, json.loads(ended.stdout)["exit_code"]) == (70, 70)
    assert "Traceback" in ended.stderr


def test_an_interruption_is_an_exit_code_of_its_own(nemotron: Nemotron, break_catalog: Break) -> None:
    statement = "import os, signal; os.kill(os.getpid(), signal.SIGINT)"
    ended = nemotron("steps", "list", env=break_catalog(statement))
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


@pytest.mark.parametrize(
    ("number", "code"), [("ENOSPC", "NMT640"), ("EDQUOT", "NMT640"), ("EACCES", "NMT641")]
)
def test_what_the_system_refuses_is_blocked_with_the_file_s_name(
    nemotron: Nemotron, break_catalog: Break, number: str, code: str
) -> None:
    statement = f"import errno; raise OSError(errno.{number}, 'no', '/some/file')"
    ended = nemotron("steps", "list", "--json", env=break_catalog(statement))
    told = json.loads(ended.stdout)
    assert (ended.returncode, told["exit_code"]) == (3, 3)
    assert [problem["code"] for problem in told["diagnostics"]] == [code]
    assert "/some/file" in ended.stderr


def test_a_user_without_a_home_is_told_what_to_set(project: Path) -> None:
    """As in a container that runs under any user id. The kernel may refuse to make such a user here."""
    nobody = ["unshare", "--user", "--map-user=54321"]
    if shutil.which("unshare") is None or subprocess.run([*nobody, "true"], capture_output=True).returncode:
        pytest.skip("the kernel refuses user namespaces")
    argv = [*nobody, sys.executable, "-m", "nemotron", "library", "list"]
    without = {k: v for k, v in os.environ.items() if k not in ("HOME", "XDG_CACHE_HOME", "NEMOTRON_CACHE")}
    told = subprocess.run(argv, env=without, capture_output=True, text=True)
    assert (told.returncode, told.stdout) == (3, "")
    assert "blocked[NMT642]" in told.stderr
    given = {**without, "NEMOTRON_CACHE": str(project)}
    assert subprocess.run(argv, env=given, capture_output=True).returncode == 0
