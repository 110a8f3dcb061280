"""What is installed."""

from __future__ import annotations

from nemotron.libraries.install import install
from nemotron.libraries.inventory import State, inventory


def _tiny():
    return next(entry for entry in inventory() if entry.library.name == "tiny")


def test_follows_what_happens_to_a_library(tiny):
    assert (_tiny().state, _tiny().environment) == (State.MISSING, None)

    made = install("tiny")
    assert (_tiny().state, _tiny().environment) == (State.INSTALLED, made)

    (made.folder / "library.json").unlink()
    assert (_tiny().state, _tiny().environment) == (State.BROKEN, None)


def test_names_what_another_lock_left(tiny):
    made = install("tiny")
    (tiny.locks / "tiny.txt").write_text((tiny.locks / "tiny.txt").read_text() + "# changed\n")

    assert _tiny().state is State.MISSING
    assert _tiny().left_over == [made.folder]


def test_every_shipped_library_is_listed(tiny):
    assert "automodel" in [entry.library.name for entry in inventory()]
