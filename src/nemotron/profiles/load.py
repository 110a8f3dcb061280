"""From a profile's name to the profile: its table on top of those that it extends. Reads TOML files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nemotron.catalog.toml_model import problems_of
from nemotron.catalog.toml_places import all_places, find_place
from nemotron.diagnostic import Diagnostic, Failure, Place, blocked, error
from nemotron.nearest import did_you_mean
from nemotron.profiles.find import env_files, find_file, tables
from nemotron.profiles.profile import GAPS, SLURM, Profile, Settings

_CODES = ("NMT615", "NMT616")


@dataclass(frozen=True)
class AtHand:
    """A profile that could be named: where it stands, and what is wrong with it."""

    name: str
    file: Path
    profile: Profile | None
    problems: list[Diagnostic]


def load_profile(name: str, start: Path | None = None) -> Profile:
    """The profile of that name, ready to run on.

    Failure NMT613 to NMT618 with the place; NMT619 (blocked) where nothing here runs on its executor.
    """
    profile = read_profile(name, find_file(name, start))
    if gap := executor_gap(profile):
        raise Failure(gap)
    return profile


def read_profile(name: str, file: Path) -> Profile:
    """The profile of that name in that file, whether or not anything here can run on it."""
    known = tables(file)
    chain = _chain(name, file, known)
    problems = [problem for link in chain for problem in _wrong_in_table(link, file, known[link])]
    if problems:
        raise Failure(problems)
    merged: dict[str, Any] = {}
    places: dict[str, Place] = {}
    stated, whole = all_places(file), Place(str(file), 1, 1)
    for link in reversed(chain):
        merged = _merged(merged, known[link])
        for path in _keys(known[link]):
            around = ((link, *path[:end]) for end in range(len(path), -1, -1))
            places[".".join(path)] = next((stated[each] for each in around if each in stated), whole)
    profile = Profile.model_validate({**merged, "name": name, "file": file, "places": places})
    if problems := list(_unfit(profile)):
        raise Failure(problems)
    return profile


def profiles_at_hand(start: Path | None = None) -> list[AtHand]:
    """Every profile of every file of the search, in its order; one that cannot be used with its problems."""
    return [entry for file in env_files(start) for entry in _of_file(file)]


def executor_gap(profile: Profile) -> Diagnostic | None:
    """NMT619 (blocked) for an executor that is known elsewhere and not here."""
    if profile.executor not in GAPS:
        return None
    return blocked(
        "NMT619",
        f"'{profile.name}' runs on {profile.executor}, and {GAPS[profile.executor]}",
        where=profile.place("executor"),
        fix="a profile with executor = 'local' or 'slurm'",
    )


def _of_file(file: Path) -> Iterator[AtHand]:
    try:
        names = list(tables(file))
    except Failure as failure:
        yield AtHand("", file, None, failure.diagnostics)
        return
    for name in names:
        try:
            profile = read_profile(name, file)
        except Failure as failure:
            yield AtHand(name, file, None, failure.diagnostics)
        else:
            gap = executor_gap(profile)
            yield AtHand(name, file, profile, [gap] if gap else [])


def _chain(name: str, file: Path, known: dict[str, Any]) -> list[str]:
    """The profile and those that it extends, itself first. Failure NMT617."""
    chain = [name]
    while isinstance(known[chain[-1]], dict) and isinstance(parent := known[chain[-1]].get("extends"), str):
        problem, fix = "", ""
        if parent in chain:
            cycle = " → ".join([*chain[chain.index(parent) :], parent])
            problem, fix = f"profiles extend each other: {cycle}", "take one `extends` out"
        elif parent not in known:
            problem = f"'{chain[-1]}' extends '{parent}', which is not in {file.name}"
            fix = did_you_mean(parent, known) or f"the profiles are: {', '.join(known)}"
        if problem:
            where = find_place(file, (chain[-1], "extends"))
            raise Failure(error("NMT617", problem, where=where, fix=fix))
        chain.append(parent)
    return chain


def _wrong_in_table(name: str, file: Path, table: Any) -> list[Diagnostic]:
    """What is wrong with one table by itself: unknown keys and wrong values."""
    if not isinstance(table, dict):
        where = find_place(file, (name,))
        fix = f"[{name}], and the keys on the lines below"
        return [error("NMT616", f"'{name}' must be a table of a profile's keys", where=where, fix=fix)]
    try:
        Settings.model_validate(table)
    except ValidationError as problem:
        return problems_of(problem, file, Settings, table=(name,), codes=_CODES)
    return []


def _unfit(profile: Profile) -> Iterator[Diagnostic]:
    """What a profile of its executor cannot do without, and what it cannot have."""
    if profile.is_local and profile.container_image is not None:
        yield error(
            "NMT616",
            f"'{profile.name}' is this machine, and container_image is for Slurm",
            detail="on this machine a step runs in the environment of its library",
            where=profile.place("container_image"),
            fix="take it out; inside a container, python names the Python that has the library",
        )
    if profile.executor == SLURM and profile.remote_job_dir is None:
        yield error(
            "NMT616",
            f"'{profile.name}' needs remote_job_dir: a folder that all nodes of the cluster see",
            where=profile.place(""),
            fix='add remote_job_dir = "/shared/FOLDER"',
        )


def _keys(table: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """The path of every key of a table, those of tables in it too, and of the table itself."""
    yield ()
    for key, value in table.items():
        yield from ((key, *path) for path in (_keys(value) if isinstance(value, dict) else [()]))


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Tables merged key by key, anything else replaced."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        if isinstance(value, dict) and isinstance(under, dict):
            merged[key] = _merged(under, value)
        else:
            merged[key] = value
    return merged
