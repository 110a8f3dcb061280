"""What a folder of this machine is called where the job runs. Pure."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from nemotron.profiles.profile import Profile


def to_cluster(path: str | Path, profile: Profile) -> str | None:
    """The path as the cluster knows it, by the longest of the profile's mounts; None where none covers it.

    A profile of this machine sees every path as it is. So does one of Slurm without host, container and
    mounts: there the machine that submits shares its file systems with the nodes.
    """
    shares = profile.host is None and profile.container_image is None and not profile.mounts
    if profile.is_local or shares:
        return str(path)
    given = PurePosixPath(path)
    covering = [mount for mount in profile.mounts if given.is_relative_to(mount.local)]
    if not covering:
        return str(path) if is_clusters_own(path, profile) else None
    nearest = max(covering, key=lambda mount: len(mount.local.parts))
    return str(nearest.cluster / given.relative_to(nearest.local))


def is_clusters_own(path: str | Path, profile: Profile | None) -> bool:
    """Whether a path is one of the cluster's, which this machine need not have.

    It lies below remote_job_dir or the cluster's side of a mount, and below no local side.
    """
    if profile is None or profile.is_local:
        return False
    given = PurePosixPath(path)
    there = [mount.cluster for mount in profile.mounts]
    there += [PurePosixPath(profile.remote_job_dir)] if profile.remote_job_dir else []
    return any(given.is_relative_to(folder) for folder in there) and not any(
        given.is_relative_to(mount.local) for mount in profile.mounts
    )
