"""What a path of this machine is called on the cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nemotron.profiles.mounts import to_cluster
from nemotron.profiles.profile import Profile

REMOTE = {"executor": "slurm", "host": "login", "remote_job_dir": "/shared/me"}


@pytest.mark.parametrize(
    ("mounts", "path", "there"),
    [
        (["/data:/mnt"], "/data/a/b.jsonl", "/mnt/a/b.jsonl"),
        (["/data:/mnt"], "/data", "/mnt"),
        (["/data:/mnt"], "/database/a", None),
        (["/data"], "/data/a", "/data/a"),
        (["/data:/mnt", "/data/models:/models"], "/data/models/m", "/models/m"),
        (["/data/models:/models", "/data:/mnt"], "/data/models/m", "/models/m"),
        (["/:/host"], "/data", "/host/data"),
        ([], "/data", None),
        ([], "/shared/me/artifacts/a", "/shared/me/artifacts/a"),
    ],
)
def test_the_longest_mount_that_covers_a_path_maps_it(
    mounts: list[str], path: str, there: str | None
) -> None:
    profile = Profile(name="p", file=Path("env.toml"), mounts=mounts, **REMOTE)
    assert to_cluster(path, profile) == there
    assert to_cluster(Path(path), profile) == there


@pytest.mark.parametrize(
    ("keys", "there"),
    [
        ({}, "/data"),
        ({"executor": "local", "mounts": ["/x"]}, "/data"),
        ({"executor": "slurm"}, "/data"),
        ({"executor": "slurm", "mounts": ["/x"]}, None),
        ({"executor": "slurm", "container_image": "image"}, None),
        ({"executor": "slurm", "host": "login"}, None),
    ],
)
def test_a_machine_that_shares_its_file_systems_sees_every_path(
    keys: dict[str, Any], there: str | None
) -> None:
    assert to_cluster("/data", Profile(name="p", file=Path("env.toml"), **keys)) == there
