"""Living processes of this machine and what they descend from, by /proc."""

from __future__ import annotations

from pathlib import Path


def sessions(pid: int) -> list[int]:
    """The processes of an ssh server that each serve one connection."""
    return [each for each in descendants(pid) if name_of(each) == "sshd"]


def name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def environment_of(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/environ").read_text(errors="replace").split("\0")
    except OSError:
        return []


def descendants(pid: int) -> list[int]:
    """The living children of a process, and theirs."""
    try:
        told = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8")
    except OSError:
        return []
    own = [int(child) for child in told.split()]
    return [*own, *(each for child in own for each in descendants(child))]
