"""Which file holds a profile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from small import failure

from nemotron.diagnostic import Severity
from nemotron.profiles.find import env_files, find_file

WriteEnv = Callable[..., Path]


def test_the_nearest_env_toml_that_holds_it_is_taken(env: WriteEnv, project: Path) -> None:
    above, below = env("[here]\n[only]\n"), env("[here]\n", "deep/er/env.toml")
    start = project / "deep" / "er"
    assert find_file("here", start) == below
    assert find_file("only", start) == above
    assert find_file("here", project) == above


def test_a_file_above_the_projects_root_is_not_read(env: WriteEnv, project: Path) -> None:
    (project.parent / "env.toml").write_text("[here]\n", encoding="utf-8")
    assert failure(lambda: find_file("here", project)).code == "NMT613"


def test_a_named_file_comes_next_and_the_example_never(env: WriteEnv, project: Path) -> None:
    own, other = env("[here]\n"), env("[there]\n", "env.cluster.toml")
    env("[here]\n[there]\n[example]\n", "env.example.toml")
    assert env_files(project) == [own, other]
    assert find_file("there") == other
    assert failure(lambda: find_file("example")).code == "NMT613"


def test_env_toml_comes_before_another_file_of_its_folder(env: WriteEnv) -> None:
    env("[here]\n", "env.a.toml")
    own = env("[here]\n")
    assert find_file("here") == own


def test_two_files_that_hold_it_are_both_named(env: WriteEnv) -> None:
    one, two = env("[here]\n", "env.one.toml"), env("[here]\n", "env.two.toml")
    problem = failure(lambda: find_file("here"))
    assert (problem.code, problem.summary) == (
        "NMT618",
        "the profile 'here' is in env.one.toml and env.two.toml",
    )
    assert problem.where is not None
    assert [problem.where.file, *(str(r.place) for r in problem.related)] == [str(one), str(two)]


def test_the_variable_names_the_only_file(
    env: WriteEnv, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env("[here]\n")
    other = env("[there]\n", "elsewhere/profiles.toml")
    monkeypatch.setenv("NEMOTRON_ENV_FILE", str(other))
    assert find_file("there") == other
    assert failure(lambda: find_file("here")).code == "NMT613"
    monkeypatch.setenv("NEMOTRON_ENV_FILE", str(project / "none.toml"))
    assert failure(lambda: find_file("there")).code == "NMT614"


def test_an_unknown_name_gets_the_nearest_one(env: WriteEnv) -> None:
    problem = failure(lambda: find_file("cluster"))
    assert (problem.severity, problem.fix) == (
        Severity.BLOCKED,
        "`nemotron steps run env/env_toml` writes an env.toml",
    )
    env("[cluster_a]\n[local]\n")
    assert failure(lambda: find_file("cluster")).fix == "did you mean 'cluster_a'?"
    assert failure(lambda: find_file("x")).fix == "the profiles are: cluster_a, local"


def test_a_file_that_is_no_toml_is_told_with_its_place(env: WriteEnv) -> None:
    file = env("[here]\nnodes = \n")
    problem = failure(lambda: find_file("here"))
    assert (problem.code, str(problem.where)) == ("NMT614", f"{file}:2:9")
