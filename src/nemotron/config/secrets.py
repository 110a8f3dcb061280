"""What looks like a secret, by the name of its key or the shape of its value, and how it is hidden.

Pure text. A config holds the name of an environment variable, never a value.
"""

from __future__ import annotations

import math
import re
from typing import Any

REDACTED = "<redacted>"
# What interpolation leaves of a secret-named variable: `nemotron.backends.job` fills in the same.
SECRET_REFERENCE = re.compile(r"\$\{oc\.env:([A-Za-z_]\w*)\}")

_SECRET_WORDS = (
    r"(?:api_?key|(?:secret|private|access)_key|secret|password|passwd|passphrase"
    r"|(?:hf|access|auth|bearer)_token)"
)
_SECRET_KEY = re.compile(rf"(?:^|[._-]){_SECRET_WORDS}$", re.I)
_SECRET_VARIABLE = re.compile(
    r"(?:^|_)(?:TOKEN|KEY|APIKEY|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?)(?:_|$)", re.I
)
# `key: value` or `key=value` in a line: what follows a telling key, to the line's end, unless it is a
# reference to the environment, null or nothing.
_ASSIGNED = re.compile(
    rf"((?<![A-Za-z0-9]){_SECRET_WORDS}[\"']?\s*[:=]\s*+)"
    r"(?!(?:[\"']?\$\{[^{},]*\}[\"']?|null|~|[\"']?\?\?\?[\"']?)?[\s,}\]]*(?:\s#.*)?$).+$",
    re.I | re.M,
)
# The public prefixes of tokens: Hugging Face, OpenAI-style, NVIDIA, GitHub, AWS, Slack, Google.
_PREFIXED = re.compile(
    r"\b(?:hf_[A-Za-z0-9]{20,}|sk-[A-Za-z0-9_-]{20,}|nvapi-[A-Za-z0-9_-]{20,}|gh[pousr]_[A-Za-z0-9]{30,}"
    r"|AKIA[0-9A-Z]{16}|xox[abprs]-[A-Za-z0-9-]{10,}|AIza[0-9A-Za-z_-]{30,})"
)
_ENTRY = re.compile(r"(?:\.\d+)+$")
_OPAQUE = re.compile(r"^[A-Za-z0-9_+/=-]{24,}$")


def is_secret_variable(name: str) -> bool:
    """Whether an environment variable of this name holds a secret: HF_TOKEN, NVIDIA_API_KEY, …"""
    return bool(_SECRET_VARIABLE.search(name))


def looks_secret(key: str, value: Any) -> bool:
    """Whether a literal looks like a secret: a known prefix anywhere, or an opaque value under a telling key.

    `key` is the dotted path. A reference to the environment (`${oc.env:NAME}`) is not a literal, and a key
    that ends in `_env` holds a variable's name.
    """
    if not isinstance(value, str) or "${" in value or value in ("", "???"):
        return False
    if _PREFIXED.search(value):
        return True
    last = _ENTRY.sub("", key).rsplit(".", 1)[-1]
    if _SECRET_KEY.search(last):
        return True
    return bool(_OPAQUE.match(value)) and _entropy(value) > 4.5 and _SECRET_VARIABLE.search(last) is not None


def redact(text: str) -> str:
    """The text without tokens of a known prefix."""
    return _PREFIXED.sub(REDACTED, text)


def redact_line(line: str) -> str:
    """A line of a config, or an argument, without tokens and without what a telling key is set to."""
    return _ASSIGNED.sub(rf"\1{REDACTED}", redact(line))


def redact_tree(value: Any, key: str = "") -> Any:
    """A copy of a tree in which every literal that looks like a secret is hidden."""
    if isinstance(value, dict):
        return {k: redact_tree(v, f"{key}.{k}" if key else str(k)) for k, v in value.items()}
    if isinstance(value, list):
        return [redact_tree(item, key) for item in value]
    return REDACTED if looks_secret(key, value) else value


def _entropy(text: str) -> float:
    """Shannon entropy in bits per character."""
    counts = [text.count(character) for character in set(text)]
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts)
