"""The keys of a profile: their kinds and what is made of them."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from pydantic import ValidationError

from nemotron.profiles.profile import Mount, Profile, Settings


def profile(**keys: Any) -> Profile:
    return Profile(name="p", file=Path("env.toml"), **keys)


@pytest.mark.parametrize(
    ("written", "mount", "shown"),
    [
        ("/data:/mnt/data", ("/data", "/mnt/data"), "/data:/mnt/data"),
        ("/data", ("/data", "/data"), "/data"),
        ("~/data:/mnt/data", ("HOME/data", "/mnt/data"), "HOME/data:/mnt/data"),
        ("~", ("HOME", "HOME"), "HOME"),
    ],
)
def test_a_mount_is_a_pair_of_absolute_paths(
    written: str, mount: tuple[str, str], shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    wanted = Mount(*(PurePosixPath(path.replace("HOME", str(tmp_path))) for path in mount))
    found = profile(mounts=[written]).mounts[0]
    assert (found, str(found)) == (wanted, shown.replace("HOME", str(tmp_path)))


@pytest.mark.parametrize(
    ("time", "seconds"),
    [("00:05:00", 300), ("4:00:00", 14400), ("1-02:00:01", 93601), ("100:00:00", 360000)],
)
def test_a_time_is_also_known_in_seconds(time: str, seconds: int) -> None:
    assert profile(time=time).time_seconds == seconds


def test_the_gpus_of_all_nodes_are_counted() -> None:
    assert [profile(nodes=2, gpus_per_node=8).gpus, profile(gpus_per_node=8).gpus] == [16, 8]
    assert [profile(gpus_per_node=0).gpus, profile(nodes=2).gpus] == [0, None]


def test_variables_are_text_as_a_process_gets_them() -> None:
    found = profile(env_vars={"A": 1, "B": True, "C": "x", "D": 0.5}).env_vars
    assert found == {"A": "1", "B": "true", "C": "x", "D": "0.5"}


WRONG = [
    {"executor": "slrm"},
    {"mounts": ["data:/data"]},
    {"mounts": ["/data:data"]},
    {"mounts": "/data"},
    {"time": "5m"},
    {"time": "00:61:00"},
    {"time": "00:05:00\n"},
    {"nodes": 0},
    {"gpus_per_node": -1},
    {"retries": -1},
    {"port": 70000},
    {"mem": "64 GB"},
    {"env_vars": {"1A": "x"}},
    {"env_vars": {"A": ["x"]}},
    {"secrets": ["HF TOKEN"]},
    {"host": "login; rm"},
    {"remote_job_dir": "shared/me"},
    {"setup": [""]},
    {"sbatch": ["comment=x"]},
    {"sbatch": ["--comment=x\n#"]},
    {"unknown": 1},
]


@pytest.mark.parametrize("keys", WRONG, ids=str)
def test_a_value_that_cannot_be_meant_is_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        profile(**keys)


def test_an_executor_with_a_slip_is_recognised() -> None:
    with pytest.raises(ValidationError, match="did you mean 'slurm'"):
        profile(executor="slrm")


def test_every_key_says_what_it_is() -> None:
    silent = [name for name, field in Settings.model_fields.items() if not field.description]
    assert silent == []


def test_the_place_of_a_key_is_else_that_of_the_table() -> None:
    assert str(profile().place("nodes")) == "env.toml"
