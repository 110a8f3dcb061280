"""The types that a config value may have, in the words of a manifest's parameters. Pure."""

from __future__ import annotations

from typing import Any

from nemotron.config.tree import MISSING

_TYPES: dict[str, tuple[type[Any], ...]] = {
    "string": (str,),
    "path": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "list": (list,),
    "table": (dict,),
}


def has_type(value: Any, kind: str) -> bool:
    """Whether a value is of this type. No value, `???`, and what is not resolved yet are of every type."""
    if value is None or value == MISSING or (isinstance(value, str) and "${" in value):
        return True
    wanted = _TYPES.get(kind)
    return wanted is None or (isinstance(value, wanted) and (bool in wanted or not isinstance(value, bool)))


def an(kind: str) -> str:
    """The type's name in a sentence."""
    return {"integer": "a whole number"}.get(kind, f"a {kind}")
