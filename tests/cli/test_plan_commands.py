"""What a plan ends with: commands that name the profile and the keys that they need."""

from __future__ import annotations

from pathlib import Path

import pytest
from at_hand import at_hand, plan
from envs import env_toml

from nemotron.checking.check import check_step
from nemotron.cli.plan_commands import PlanCommand, plan_commands
from nemotron.hardware import probe
from nemotron.hardware.probe import Gpu

__all__ = ["at_hand"]
ENV = """
    [small]
    executor = "slurm"
    host = "login"
    remote_job_dir = "/shared/me"
    gpus_per_node = 0
    python = "/opt/python"
    mounts = ["/:/here"]

    [large]
    extends = "small"
    gpus_per_node = 8
    secrets = ["HF_TOKEN"]
"""


def commands(*haves: str, want: str = "checkpoint_lora", gpus: int = 2) -> list[PlanCommand]:
    made = plan(want, *haves, gpus=gpus)
    found = {node.name: check_step(made.draft.requests[node.name]) for node in made.nodes}
    return plan_commands(made, found, "p.yaml")


@pytest.fixture(autouse=True)
def _no_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEMOTRON_ENV_FILE", raising=False)
    monkeypatch.setattr(probe, "gpus", lambda: ())


def test_a_plan_for_this_machine_is_checked_and_run_here(
    at_hand: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "gpus", lambda: (Gpu("G", 80_000),) * 2)
    found = commands("chat.jsonl", "base")
    assert [each.command for each in found] == [
        "nemotron pipeline check p.yaml",
        "nemotron pipeline run p.yaml",
    ]
    assert [each.profile for each in found] == [None, None]


def test_gpus_that_are_not_here_are_on_some_profile(at_hand: Path) -> None:
    found = commands("chat.jsonl", "base")
    assert [each.command for each in found] == [
        "nemotron pipeline run p.yaml --batch PROFILE --dry-run",
        "nemotron pipeline run p.yaml --batch PROFILE",
    ]
    assert "NMT620" in found[1].tier


def test_a_profile_at_hand_with_the_room_for_it_is_named(
    at_hand: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env_toml(at_hand, ENV)
    monkeypatch.setenv("HF_TOKEN", "x")
    dry, run = commands("chat.jsonl", "base")
    assert run.command == "nemotron pipeline run p.yaml --batch large"
    assert (run.profile, run.auth, run.tier) == ("large", ["HF_TOKEN"], "verified")
    assert str(dry) == "nemotron pipeline run p.yaml --batch large --dry-run  # with HF_TOKEN set  [repo]"


def test_the_key_of_a_service_is_named_with_each_command(at_hand: Path) -> None:
    service = "endpoint:http://localhost:1/v1,model=m,api_key_env=JUDGE_KEY"
    assert [each.auth for each in commands(service, want="eval_results", gpus=0)] == [["JUDGE_KEY"]] * 2
