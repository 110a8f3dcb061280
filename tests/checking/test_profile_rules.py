"""Does a step fit its profile: library, room, secrets, paths?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from envs import cluster, env_toml, profile
from small import SmallCatalog, chat, codes, position, stands, the

from nemotron.checking import profile_rules, surroundings
from nemotron.checking.check import check_step
from nemotron.diagnostic import Severity
from nemotron.planning.request import StepRequest
from nemotron.planning.resolve import Wish, on_profile, resolve
from nemotron.profiles.load import load_profile
from nemotron.profiles.profile import Profile

Asked = Callable[..., StepRequest]


@pytest.fixture
def asked(small: SmallCatalog, project: Path) -> Asked:
    """A request for a step of the automodel library on a profile."""
    small.step("train/one", head='library = "automodel"\ngpus = 8', default="a: 1\n")

    def request(on: Profile, **wish: Any) -> StepRequest:
        return resolve(Wish("train/one", profile=on, **wish), small.catalog())

    return request


LIBRARIES = [
    (profile(), None),
    (profile(libraries=["automodel", "nemo_rl"]), None),
    (profile(libraries=["nemo_rl"]), "does not serve 'automodel'"),
    (profile(libraries=[]), "does not serve 'automodel'"),
    (cluster(), None),
    (cluster(python=None), "does not say which Python on login has 'automodel'"),
    (cluster(python=None, container_image="image"), None),
    (cluster(python=None, host=None), None),
]


@pytest.mark.parametrize(("on", "summary"), LIBRARIES)
def test_a_library_that_is_not_served_blocks(asked: Asked, on: Profile, summary: str | None) -> None:
    found = list(profile_rules.library_is_served(asked(on)))
    assert [problem.severity for problem in found] == ([Severity.BLOCKED] if summary else [])
    assert all(problem.code == "NMT622" and str(summary) in problem.summary for problem in found)


def test_a_library_may_be_served_by_its_other_name(small: SmallCatalog, project: Path) -> None:
    small.step("train/two", head='library = "megatron_bridge"', default="a: 1\n")
    request = resolve(Wish("two", profile=profile(libraries=["megatron"])), small.catalog())
    assert list(profile_rules.library_is_served(request)) == []


ROOM = [
    ({}, {}, []),
    ({"gpus_per_node": 8, "nodes": 2}, {}, []),
    ({"gpus_per_node": 8, "nodes": 2}, {"gpus": 16}, []),
    ({"gpus_per_node": 8, "nodes": 2}, {"gpus": 32}, ["4 nodes are asked for, and the profile 'p' has 2"]),
    (
        {"gpus_per_node": 4},
        {"gpus": 8, "nodes": 1},
        ["8 GPUs on a node are asked for, and a node of the profile 'p' has 4"],
    ),
    ({"gpus_per_node": 4}, {"gpus": 8}, []),
    ({"gpus_per_node": 0}, {}, ["8 GPUs on a node are asked for, and a node of the profile 'p' has 0"]),
    ({"gpus_per_node": 0}, {"gpus": 0}, []),
]


@pytest.mark.parametrize(("keys", "wish", "summaries"), ROOM)
def test_more_than_the_profile_has_is_an_error(
    asked: Asked, keys: dict[str, int], wish: dict[str, int], summaries: list[str]
) -> None:
    found = list(profile_rules.room_is_enough(asked(cluster(**keys), **wish)))
    assert [problem.summary for problem in found] == summaries
    assert {(problem.code, problem.severity) for problem in found} <= {("NMT623", Severity.ERROR)}


def test_a_kind_of_gpu_that_there_is_not_is_told(asked: Asked) -> None:
    assert list(profile_rules.gpu_kind_is_known(asked(profile(gpu="H100")))) == []
    assert codes(profile_rules.gpu_kind_is_known(asked(profile(gpu="h1000")))) == ["NMT284"]


def test_a_secret_that_is_not_set_blocks(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TOKEN", "x")
    monkeypatch.delenv("B_TOKEN", raising=False)
    problem = the(profile_rules.secrets_are_set(asked(profile(secrets=["A_TOKEN", "B_TOKEN"]))), "NMT624")
    assert (problem.severity, problem.fix.split("=")[0]) == (Severity.BLOCKED, "export B_TOKEN")


SECRETS = [
    ({"env_vars": {"HF_HOME": "/hf", "TOKENIZER": "x"}}, 0),
    ({"env_vars": {"SERVICE_PASSWORD": "correct-horse"}}, 1),
    ({"setup": ["module load x", "export A=hf_abcdefghijklmnopqrstuvwx"]}, 1),
    ({"sbatch": ["--comment=hf_abcdefghijklmnopqrstuvwx"]}, 1),
]


@pytest.mark.parametrize(("keys", "count"), SECRETS)
def test_a_written_secret_is_an_error_that_does_not_repeat_it(
    asked: Asked, keys: dict[str, Any], count: int
) -> None:
    found = list(profile_rules.no_secret_is_written(asked(profile(**keys))))
    assert codes(found) == ["NMT720"] * count
    assert not any("horse" in str(problem) or "hf_" in str(problem) for problem in found)


def test_it_is_told_once_and_at_its_place(small: SmallCatalog, project: Path) -> None:
    file = env_toml(project, "[p]\nnodes = 1\n[p.env_vars]\nSERVICE_PASSWORD = 'correct-horse'\n")
    small.step("train/one", default="a: 1\n")
    found = check_step(resolve(Wish("one", profile=load_profile("p")), small.catalog()))
    problem = the([each for each in found if each.severity == "error"], "NMT720")
    assert stands(problem.where) == position(file, "SERVICE_PASSWORD")
    assert "NMT701" not in codes(found)


MANIFEST = """
    [[consumes]]
    type = "chat_jsonl"
    at = "data"
    description = "Chats."

    [[produces]]
    type = "scores"
    at = "output"
    description = "Scores."
"""


@pytest.fixture
def reader(small: SmallCatalog, project: Path) -> Callable[..., StepRequest]:
    """A request for a step with an input and an output, on a profile."""
    small.step("read/one", MANIFEST, default="data: ???\noutput: null\nother: null\n")
    chat(project / "chat.jsonl")

    def request(on: Profile, *overrides: str) -> StepRequest:
        return resolve(Wish("one", overrides=list(overrides), profile=on), small.catalog())

    return request


def test_a_path_that_the_cluster_does_not_see_is_an_error(reader: Asked, project: Path) -> None:
    overrides = ["data=chat.jsonl", "output=out", f"other={project}"]
    found = list(profile_rules.paths_are_visible(reader(cluster(), *overrides)))
    assert [str(problem.where) for problem in found] == [
        "argument 'data=chat.jsonl'",
        "argument 'output=out'",
        f"argument 'other={project}'",
    ]
    assert {problem.code for problem in found} == {"NMT625"}
    assert found[0].fix == f'in env.toml, [p]: mounts = ["{project}:/THERE"]'
    other = list(profile_rules.paths_are_visible(reader(cluster(mounts=["/a:/b", "/c"]), *overrides)))
    assert other[0].fix.endswith(f'mounts = ["/a:/b", "/c", "{project}:/THERE"]')
    mounted = cluster(mounts=[f"{project}:/data"])
    assert list(profile_rules.paths_are_visible(reader(mounted, *overrides))) == []
    assert list(profile_rules.paths_are_visible(reader(profile(), *overrides))) == []


def test_a_path_of_the_cluster_need_not_be_here(reader: Asked) -> None:
    there = check_step(reader(cluster(), "data=/shared/me/chat.jsonl"))
    assert "NMT213" not in codes(there)
    assert "NMT625" not in codes(there)
    elsewhere = check_step(reader(cluster(), "data=/elsewhere/chat.jsonl"))
    assert {"NMT213", "NMT625"} <= set(codes(elsewhere))


def test_what_this_machine_lacks_does_not_count_on_a_cluster(asked: Asked) -> None:
    remote = asked(cluster(gpus_per_node=8, nodes=4))
    assert (remote.gpus, remote.nodes) == (32, 4)
    assert list(surroundings.gpus_are_there(remote)) == []
    assert list(surroundings.library_is_installed(remote)) == []


def test_the_library_of_this_machine_does_not_count_beside_a_python_of_the_profile(
    asked: Asked, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NEMOTRON_CACHE", str(tmp_path))
    assert codes(surroundings.library_is_installed(asked(profile()))) == ["NMT601"]
    assert list(surroundings.library_is_installed(asked(profile(python="python3")))) == []
    assert codes(surroundings.library_is_installed(asked(cluster(host=None, python=None)))) == ["NMT601"]


def test_a_python_that_is_not_here_blocks_unless_set_up_commands_bring_it(asked: Asked) -> None:
    absent = {"python": "/no/such/python"}
    assert codes(profile_rules.python_is_there(asked(profile(**absent)))) == ["NMT627"]
    for on in (profile(**absent, setup=["module load x"]), cluster(**absent), profile(python="python3")):
        assert list(profile_rules.python_is_there(asked(on))) == []


def test_a_request_without_a_profile_is_left_alone(asked: Asked, small: SmallCatalog) -> None:
    request = resolve(Wish("train/one"), small.catalog())
    rules = (
        profile_rules.library_is_served,
        profile_rules.python_is_there,
        profile_rules.room_is_enough,
        profile_rules.gpu_kind_is_known,
        profile_rules.secrets_are_set,
        profile_rules.no_secret_is_written,
        profile_rules.paths_are_visible,
    )
    assert [list(rule(request)) for rule in rules] == [[]] * len(rules)
    assert on_profile(request, profile()).is_local
