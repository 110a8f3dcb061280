"""Secrets: what looks like one, and that none is shown."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemotron.config.secrets import (
    REDACTED,
    is_secret_variable,
    looks_secret,
    redact,
    redact_line,
    redact_tree,
)
from nemotron.config.tree import leaves

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
TOKENS = st.one_of(
    st.text(LETTERS, min_size=20, max_size=40).map("hf_{}".format),
    st.text(LETTERS + "-_", min_size=20, max_size=40).map("sk-{}".format),
    st.text(LETTERS + "-_", min_size=20, max_size=40).map("nvapi-{}".format),
    st.text(LETTERS, min_size=30, max_size=40).map("ghp_{}".format),
    st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=16, max_size=16).map("AKIA{}".format),
    st.text(LETTERS + "-", min_size=10, max_size=30).map("xoxb-{}".format),
    st.text(LETTERS + "-_", min_size=30, max_size=40).map("AIza{}".format),
)
AROUND = st.sampled_from(["", " ", "'", '"', ": ", "=", "Bearer ", "/", "\n", "(", ","])
SECRET_KEYS = ["api_key", "apikey", "model.api_key", "judge-api_key", "secret", "client_secret", "password"]
SECRET_KEYS += ["hf_token", "HF_TOKEN", "a.auth_token", "secret_key", "OPENAI_API_KEY", "keys.api_key.0"]
QUOTES = "'\""
OPAQUE = "q9X2mZ7vT4kL8pR1wN6cJ3hB5yD0sF"


@pytest.mark.parametrize("key", SECRET_KEYS)
def test_a_value_under_a_telling_key_is_a_secret(key: str) -> None:
    assert looks_secret(key, "hunter2")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("tokenizer", "hunter2"),
        ("max_tokens", "hunter2"),
        ("pad_token", "<pad>"),
        ("pad_token", OPAQUE[:20]),
        ("eos_token_id", 5),
        ("api_key_env", "JUDGE_KEY"),
        ("key", "model.layers.0"),
        ("api_key", None),
        ("api_key", ""),
        ("api_key", "???"),
        ("api_key", "${oc.env:MY_KEY}"),
        ("model", "nvidia/NVIDIA-Nemotron-Nano-9B-v2-Base"),
        ("name", "task-sk-short"),
        ("file", "hf_checkpoint_of_the_model.safetensors"),
        ("digest", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
    ],
)
def test_what_is_no_secret_is_not_taken_for_one(key: str, value: Any) -> None:
    assert not looks_secret(key, value)


def test_an_opaque_value_counts_only_under_a_key_that_tells() -> None:
    assert looks_secret("service.access_key_id", OPAQUE)
    assert not looks_secret("service.identity", OPAQUE)


@pytest.mark.parametrize(
    "name", ["HF_TOKEN", "NVIDIA_API_KEY", "MY_SECRET", "DB_PASSWORD", "hf_token", "AWS_CREDENTIALS"]
)
def test_a_variable_that_holds_a_secret_is_known_by_its_name(name: str) -> None:
    assert is_secret_variable(name)


@pytest.mark.parametrize(
    "name", ["HOME", "TOKENIZERS_PARALLELISM", "KEYBOARD", "NEMOTRON_QUICKSTART", "MAX_TOKENS"]
)
def test_other_variables_hold_none(name: str) -> None:
    assert not is_secret_variable(name)


@given(TOKENS, AROUND, AROUND)
def test_a_token_is_never_left_in_a_text(token: str, before: str, after: str) -> None:
    text = f"so{before or ' '}{token}{after} on"
    assert looks_secret("any.key", text)
    assert token not in redact(text)
    assert token not in redact_line(text)
    assert REDACTED in redact(text)


@given(
    st.sampled_from(SECRET_KEYS[:-1]),
    st.sampled_from([": ", ":", "=", " = ", "': ", '": "']),
    st.text("abcXYZ019!@%&*()#,;{}[]'\" $", min_size=4, max_size=20)
    .map(str.lstrip)
    .filter(lambda t: any(c.isalnum() for c in t)),
)
def test_what_a_telling_key_is_set_to_is_never_left_in_a_line(key: str, sign: str, value: str) -> None:
    for line in (f"{key}{sign}{value}", f"  - {key}{sign}{value}", f"{{x: 1, {key}{sign}{value}, y: 2}}"):
        assert redact_line(line) == f"{line.partition(key)[0]}{key}{sign.rstrip(QUOTES)}{REDACTED}"


@pytest.mark.parametrize(
    "line",
    [
        "api_key: ${oc.env:MY_KEY}",
        "api_key: ${oc.env:MY_KEY}  # the judge's",
        "{api_key: ${oc.env:MY_KEY}}",
        'api_key: "${oc.env:MY_KEY}"',
        "api_key: null",
        "api_key: ???",
        "api_key:",
        "api_key_env: MY_KEY",
        "tokenizer: some/model",
        "max_tokens=512",
        "pad_token: <pad>",
        "secretary: Ann",
    ],
)
def test_a_line_without_a_secret_is_shown_as_it_is(line: str) -> None:
    assert redact_line(line) == line


@given(
    st.recursive(
        st.one_of(TOKENS, st.text(max_size=5), st.integers()),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["a", "model", "api_key", "password"]), inner, max_size=3)
        ),
    )
)
def test_a_redacted_tree_holds_no_secret_and_loses_nothing_else(tree: Any) -> None:
    redacted = redact_tree({"root": tree})
    before = dict(leaves({"root": tree}))
    after = dict(leaves(redacted))
    assert list(before) == list(after)
    for path, value in after.items():
        key = ".".join(str(part) for part in path)
        assert value == REDACTED or (value == before[path] and not looks_secret(key, value))
