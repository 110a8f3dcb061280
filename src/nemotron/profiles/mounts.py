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
        return _in_job_folder(given, profile)
    nearest = max(covering, key=lambda mount: len(mount.local.parts))
    return str(nearest.cluster / given.relative_to(nearest.local))


def _in_job_folder(path: PurePosixPath, profile: Profile) -> str | None:
    """A path below remote_job_dir is the cluster's own already."""
    own = profile.remote_job_dir
    return str(path) if own is not None and path.is_relative_to(own) else None
