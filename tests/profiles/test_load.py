"""From a name to a profile: what it extends, and where each mistake stands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from small import failure, failures, stands

from nemotron.diagnostic import Severity
from nemotron.profiles.load import load_profile, profiles_at_hand, read_profile

WriteEnv = Callable[..., Path]

FAMILY = """
[site]
executor = "slurm"
remote_job_dir = "/shared/me"
setup = ["module load a", "module load b"]

[site.env_vars]
A = "site"
B = "site"

[team]
extends = "site"
nodes = 2

[mine]
extends = "team"
setup = ["module load c"]
env_vars = { B = "mine" }
"""


def test_tables_are_merged_and_lists_replaced_through_all_that_is_extended(env: WriteEnv) -> None:
    file = env(FAMILY)
    found = load_profile("mine")
    assert (found.executor, found.nodes, found.setup) == ("slurm", 2, ("module load c",))
    assert found.env_vars == {"A": "site", "B": "mine"}
    assert (found.name, found.file) == ("mine", file)
    lines = {key: found.place(key).line for key in ("executor", "env_vars.A", "nodes", "setup", "time")}
    assert lines == {"executor": 3, "env_vars.A": 8, "nodes": 13, "setup": 17, "time": 15}


def test_a_key_may_be_dotted_or_in_line(env: WriteEnv) -> None:
    env("a.nodes = 2\nb = { extends = 'a', env_vars.X = 1 }\n")
    found = load_profile("b")
    assert (found.nodes, found.env_vars) == (2, {"X": "1"})
    assert [found.place(key).line for key in ("nodes", "env_vars.X", "time")] == [1, 2, 2]


def test_a_profile_may_be_empty_and_is_this_machine_then(env: WriteEnv) -> None:
    env("[here]\n")
    assert load_profile("here").is_local


WRONG = [
    ("[p]\nextend = 'q'\n", "NMT615", 2, 1, "unknown key 'extend'", "did you mean 'extends'?"),
    ("[p]\nnodes = 'two'\n", "NMT616", 2, 1, "nodes: ", ""),
    ("[p]\n  time = '5m'\n", "NMT616", 2, 3, "time: '5m' must be HH:MM:SS", ""),
    ("[p]\nexecutor = 'slrm'\n", "NMT616", 2, 1, "executor: there is no executor 'slrm'", ""),
    ("p = 3\n", "NMT616", 1, 1, "'p' must be a table", "[p]"),
    ("[p]\nexecutor = 'slurm'\n", "NMT616", 1, 1, "'p' needs remote_job_dir", "add remote_job_dir"),
    ("[p]\ncontainer_image = 'x'\n", "NMT616", 2, 1, "'p' is this machine, and container_image", "take it"),
    ("[p]\nextends = 'q'\n[qq]\n", "NMT617", 2, 1, "'p' extends 'q', which is not", "did you mean 'qq'?"),
    ("[p]\nextends = 'p'\n", "NMT617", 2, 1, "profiles extend each other: p → p", "take one"),
    (
        "[p]\nextends = 'q'\n[q]\nextends = 'r'\n[r]\nextends = 'q'\n",
        "NMT617",
        6,
        1,
        "profiles extend each other: q → r → q",
        "take one",
    ),
]


@pytest.mark.parametrize(("text", "code", "line", "column", "summary", "fix"), WRONG)
def test_a_mistake_has_its_place(
    env: WriteEnv, text: str, code: str, line: int, column: int, summary: str, fix: str
) -> None:
    file = env(text)
    problem = failure(lambda: load_profile("p"))
    assert (problem.code, problem.severity) == (code, Severity.ERROR)
    assert stands(problem.where) == (str(file), line, column)
    assert problem.summary.startswith(summary)
    assert problem.fix.startswith(fix)


def test_all_mistakes_come_at_once_also_those_of_a_parent(env: WriteEnv) -> None:
    env("[p]\nextends = 'q'\nnodes = 0\nnode = 1\n[q]\ngpus_per_node = 'x'\n")
    found = failures(lambda: load_profile("p"))
    assert sorted((problem.code, problem.where.line) for problem in found if problem.where) == [
        ("NMT615", 4),
        ("NMT616", 3),
        ("NMT616", 6),
    ]


def test_an_executor_of_elsewhere_is_blocked_and_can_be_shown(env: WriteEnv) -> None:
    file = env("[cloud]\nexecutor = 'lepton'\nnodes = 4\n")
    problem = failure(lambda: load_profile("cloud"))
    assert (problem.code, problem.severity) == ("NMT619", Severity.BLOCKED)
    assert "DGX Cloud Lepton is not reached yet" in problem.summary
    assert read_profile("cloud", file).nodes == 4


def test_what_is_at_hand_is_listed_with_its_problems(env: WriteEnv) -> None:
    env("[a]\n[b]\nnodes = 0\n[c]\nexecutor = 'lepton'\n")
    broken = env("[d\n", "env.x.toml")
    found = profiles_at_hand()
    assert [(entry.name, entry.profile is not None) for entry in found] == [
        ("a", True),
        ("b", False),
        ("c", True),
        ("", False),
    ]
    assert [[p.code for p in entry.problems] for entry in found] == [[], ["NMT616"], ["NMT619"], ["NMT614"]]
    assert found[-1].file == broken
